#include "yuv420_reader.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace headrace {
namespace {

// Rows of chroma that are kept with their edges: a row and the ones above and below it, in a power of two.
constexpr int kCopies = 4;
// In front of a row's first sample, for the neighbour at -1.
constexpr size_t kMargin = 32;
// libjpeg filters only chroma that is wider than this, and repeats the rest.
constexpr int kNeverFiltered = 2;

size_t roundUp(size_t value, size_t to) { return (value + to - 1) / to * to; }

}  // namespace

Fault Yuv420Reader::open(std::span<const uint8_t> sample, size_t readable, int width, int height, bool fancy, double maxPixels) {
  if (width <= 0 || height <= 0 || width % 2 != 0 || height % 2 != 0)
    return Fault::of(FaultCode::corrupt, "the metadata say %dx%d pixels, but both sides of YUV 4:2:0 are even", width, height);
  const double pixels = static_cast<double>(width) * height;
  if (!(pixels <= maxPixels))
    return Fault::of(FaultCode::limit, "the metadata say %dx%d pixels, more than maxPixels (%.0f)", width, height, maxPixels);
  if (sample.size() != yuv420Bytes(width, height))
    return Fault::of(FaultCode::corrupt, "%zu bytes are not %dx%d pixels of YUV 4:2:0, which are %zu", sample.size(), width, height,
                     yuv420Bytes(width, height));
  sample_ = sample;
  end_ = sample.data() + sample.size() + readable;
  width_ = width;
  height_ = height;
  filtered_ = fancy && width / 2 > kNeverFiltered;
  return {};
}

// A row of chroma from sample from_ on, with what upsampling reads around it: its own neighbours, or an edge repeated.
const uint8_t* Yuv420Reader::withEdges(Chroma& plane, int row) {
  const int chromaWidth = width_ / 2;
  const auto count = static_cast<size_t>(count_);
  const uint8_t* samples = plane.samples + static_cast<size_t>(row) * static_cast<size_t>(chromaWidth);
  const bool leftEdge = from_ == 0, rightEdge = from_ + count_ == chromaWidth;
  if (!leftEdge && !rightEdge && mayRead(samples, count + kRowPadding)) return samples;
  uint8_t* copy = plane.copies + static_cast<size_t>(row % kCopies) * stride_ + kMargin;
  if (plane.copied[row % kCopies] == row) return copy;
  plane.copied[row % kCopies] = row;
  std::memcpy(copy, samples, count);
  copy[-1] = leftEdge ? samples[0] : samples[-1];
  copy[count] = rightEdge ? samples[count - 1] : samples[count];
  return copy;
}

// A row of chroma for the pixels from 2 * from_ on.
void Yuv420Reader::repeat(Chroma& plane, int row) {
  if (plane.copied[0] == row) return;
  plane.copied[0] = row;
  const uint8_t* samples = plane.samples + static_cast<size_t>(row) * static_cast<size_t>(width_ / 2);
  for (int i = 0; i < count_; i++) plane.repeated[2 * i] = plane.repeated[2 * i + 1] = samples[i];
}

void Yuv420Reader::rows(const PixelRect& rect, RowSink& sink) {
  from_ = rect.x / 2;
  count_ = (rect.x + rect.width - 1) / 2 + 1 - from_;
  const auto count = static_cast<size_t>(count_), pixels = 2 * count;  // whole pairs: one more than asked for at an odd end
  stride_ = kMargin + roundUp(pixels, 2 * kRowAlign) + 2 * kRowAlign + kRowPadding;
  constexpr size_t kLines = 8 + 2 * (kCopies + 1);  // R, G, B and Y of two rows, and chroma
  if (line_.size() < kLines * stride_) line_.resize(kLines * stride_);
  const auto line = [&](size_t i) { return line_.data() + i * stride_; };
  uint8_t* const rgb[2][3] = {{line(0), line(1), line(2)}, {line(3), line(4), line(5)}};
  const auto width = static_cast<size_t>(width_);
  const size_t luma = width * static_cast<size_t>(height_);
  Chroma chroma[2];
  for (size_t c = 0; c < 2; c++) {
    chroma[c].samples = sample_.data() + luma + c * (luma / 4) + from_;
    chroma[c].repeated = line(8 + c * (kCopies + 1));
    chroma[c].copies = chroma[c].repeated + stride_;
    std::fill(std::begin(chroma[c].copied), std::end(chroma[c].copied), -1);
  }
  auto& [blue, red] = chroma;
  const int odd = rect.x % 2;
  const auto lumaRow = [&](int y, uint8_t* copy) {
    const uint8_t* samples = sample_.data() + static_cast<size_t>(y) * width + 2 * static_cast<size_t>(from_);
    if (mayRead(samples, pixels + kRowPadding)) return samples;
    std::memcpy(copy, samples, pixels);
    return static_cast<const uint8_t*>(copy);
  };
  const int end = rect.y + rect.height;
  for (int y = rect.y; y < end;) {
    const int near = y / 2;
    int rows = 1;
    if (filtered_) {
      // Two rows between the same two of chroma; alone at the upper and lower edge.
      rows = y % 2 == 1 && y + 1 < end ? 2 : 1;
      const int far = std::clamp(y % 2 == 0 ? near - 1 : near + 1, 0, height_ / 2 - 1);
      kernels_.upsample2x2ToRgb({lumaRow(y, line(6)), lumaRow(y + rows - 1, line(7))}, {withEdges(blue, near), withEdges(blue, far)},
                                {withEdges(red, near), withEdges(red, far)}, count, rgb);
    } else {
      for (Chroma& plane : chroma) repeat(plane, near);
      kernels_.toRgb(lumaRow(y, line(6)), blue.repeated, red.repeated, pixels, rgb[0][0], rgb[0][1], rgb[0][2]);
    }
    for (int k = 0; k < rows; k++, y++) {
      const uint8_t* const planes[3] = {rgb[k][0] + odd, rgb[k][1] + odd, rgb[k][2] + odd};
      sink.planes(y, planes);
    }
  }
}

void Yuv420Reader::release() { line_ = std::vector<uint8_t>(); }

}  // namespace headrace
