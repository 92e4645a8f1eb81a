#include "yuv420_writer.h"

#include <algorithm>
#include <cstring>

#include "yuv420_reader.h"

namespace headrace {
namespace {

// libjpeg's limit on a side, which is also the loader's.
constexpr int kMaxSide = 65500;
constexpr uint8_t kNoColour = 128;

int even(int side) { return side + side % 2; }

// Float32, one rounding an operation: the order is slipstream's.
template <Rounding rounding>
uint8_t toByte(float value) {
  if constexpr (rounding == Rounding::nearest) value += 0.5f;
  return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

}  // namespace

Fault beginYuv420(int width, int height, Yuv420Picture& out) {
  out.width = even(width);
  out.height = even(height);
  if (out.width > kMaxSide || out.height > kMaxSide)
    return Fault::of(FaultCode::limit, "%dx%d pixels: a side has at most %d", width, height, kMaxSide);
  out.bytes.resize(yuv420Bytes(out.width, out.height));
  return {};
}

Yuv420Writer::Yuv420Writer(int width, int height, Rounding rounding, Yuv420Picture& out)
    : width_(width), height_(height), rounding_(rounding), out_(out) {
  for (auto& rows : pair_) rows.resize(2 * static_cast<size_t>(out.width));
}

void Yuv420Writer::row(int y, const uint8_t* rgb) {
  const auto take = [&](int at) { rounding_ == Rounding::nearest ? convert<Rounding::nearest>(at, rgb) : convert<Rounding::truncate>(at, rgb); };
  take(y);
  if (y + 1 == height_ && out_.height > height_) take(y + 1);
}

template <Rounding rounding>
void Yuv420Writer::convert(int y, const uint8_t* rgb) {
  const auto width = static_cast<size_t>(width_), padded = static_cast<size_t>(out_.width);
  const size_t half = static_cast<size_t>(y % 2) * padded;
  uint8_t* luma = out_.bytes.data() + static_cast<size_t>(y) * padded;
  uint8_t *cb = pair_[0].data() + half, *cr = pair_[1].data() + half;
  for (size_t i = 0; i < width; i++, rgb += 3) {
    const float r = rgb[0], g = rgb[1], b = rgb[2];
    luma[i] = toByte<rounding>(0.299f * r + 0.587f * g + 0.114f * b);
    cb[i] = toByte<rounding>(-0.168736f * r - 0.331264f * g + 0.5f * b + 128.0f);
    cr[i] = toByte<rounding>(0.5f * r - 0.418688f * g - 0.081312f * b + 128.0f);
  }
  for (uint8_t* samples : {luma, cb, cr})
    if (padded > width) samples[width] = samples[width - 1];
  if (y % 2 == 0) return;
  constexpr int add = rounding == Rounding::nearest ? 2 : 0;
  const size_t lumaBytes = padded * static_cast<size_t>(out_.height), row = static_cast<size_t>(y / 2) * (padded / 2);
  for (size_t c = 0; c < 2; c++) {
    const uint8_t *above = pair_[c].data(), *below = above + padded;
    uint8_t* out = out_.bytes.data() + lumaBytes + c * (lumaBytes / 4) + row;
    for (size_t i = 0; i < padded / 2; i++)
      out[i] = static_cast<uint8_t>((above[2 * i] + above[2 * i + 1] + below[2 * i] + below[2 * i + 1] + add) >> 2);
  }
}

namespace {

// A JPEG's own samples.
Fault copySamples(JpegReader& reader, Yuv420Picture& out) {
  const auto padded = static_cast<size_t>(out.width), luma = padded * static_cast<size_t>(out.height);
  uint8_t* const y = out.bytes.data();
  const int width = reader.width(), height = reader.height();
  std::fill(y + luma, y + out.bytes.size(), kNoColour);  // stays where the picture is gray
  const SamplePlane planes[3] = {{y, padded, width, height},
                                 {y + luma, padded / 2, out.width / 2, out.height / 2},
                                 {y + luma + luma / 4, padded / 2, out.width / 2, out.height / 2}};
  if (const Fault fault = reader.samples(planes)) return fault;
  if (out.width > width)
    for (int row = 0; row < height; row++) {
      uint8_t* last = y + static_cast<size_t>(row) * padded + width - 1;
      last[1] = last[0];
    }
  if (out.height > height) std::memcpy(y + luma - padded, y + luma - 2 * padded, padded);
  return {};
}

}  // namespace

Fault toYuv420(JpegReader& reader, Rounding rounding, Yuv420Picture& out) {
  const int width = reader.width(), height = reader.height();
  if (const Fault fault = beginYuv420(width, height, out)) return fault;
  if (rounding == Rounding::nearest && reader.isYuv420()) return copySamples(reader, out);
  Yuv420Writer writer(width, height, rounding, out);
  return reader.decode({0, 0, width, height}, writer);
}

}  // namespace headrace
