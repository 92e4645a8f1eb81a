// Packed pictures against libjpeg: the JPEG that jpeg_writer makes holds the same coefficients, and libjpeg-turbo gives
// it the pixels that PackedReader gives.
#include <algorithm>
#include <cstdlib>

#include "../dct/jpeg_writer.h"
#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "../src/jpeg_reader.h"
#include "samples.h"

using namespace headrace;

namespace {

// RGB of a rectangle, whether rows or planes come.
class Pixels final : public RowSink {
 public:
  explicit Pixels(const PixelRect& rect) : rect_(rect), rgb(size_t(rect.width) * size_t(rect.height) * 3) {}
  uint8_t* target(int) override { return nullptr; }
  void row(int y, const uint8_t* pixels) override { std::copy_n(pixels, 3 * size_t(rect_.width), at(y)); }
  void planes(int y, const uint8_t* const (&planes)[3]) override {
    kScalarKernels.interleave(planes[0], planes[1], planes[2], size_t(rect_.width), at(y));
  }

 private:
  uint8_t* at(int y) { return rgb.data() + size_t(y - rect_.y) * size_t(rect_.width) * 3; }
  const PixelRect rect_;

 public:
  std::vector<uint8_t> rgb;
};

Fault read(const std::vector<uint8_t>& jpeg, Coefficients& out) {
  JpegReader reader;
  JpegOptions options;
  options.maxPixels = kAnySize;
  if (const Fault fault = reader.open(jpeg.data(), jpeg.size(), options)) return fault;
  return reader.coefficients(out);
}

constexpr int kSizes[][2] = {{1, 1}, {2, 3}, {5, 5}, {3, 40}, {8, 8}, {9, 17}, {17, 9}, {31, 33}, {33, 65}, {64, 48}, {123, 61}};

const Case writing("writeJpeg makes a JPEG of every sampling and size that holds the same coefficients and tables", [](Check& check) {
  std::mt19937 random(61);
  for (const Sampling& sampling : kSamplings) {
    for (const auto& [width, height] : kSizes) {
      for (const int coarse : {0, 20, 300}) {
        const Coefficients picture = randomPicture(width, height, sampling, coarse, random);
        std::vector<uint8_t> jpeg;
        Coefficients back;
        Fault fault = writeJpeg(picture, jpeg);
        if (!fault) fault = read(jpeg, back);
        check.that(!fault && back == picture, "%s %dx%d: %s", sampling.name().c_str(), width, height, fault.reason);
      }
    }
  }
});

Fault decode(JpegReader& reader, const std::vector<uint8_t>& jpeg, const PixelRect& rect, Pixels& out) {
  JpegOptions options;
  options.maxPixels = kAnySize;
  if (const Fault fault = reader.open(jpeg.data(), jpeg.size(), options)) return fault;
  return reader.decode(rect, out);
}

// Whether the libjpeg at hand clamps samples however far outside they are, as its SIMD code does; its plain C takes
// those beyond +-512 modulo 1024. No encoder makes such coefficients.
bool clampsAll() {
  Coefficients picture;
  picture.width = picture.height = 8;
  picture.count = 1;
  picture.tables.resize(1);
  picture.tables[0].fill(5);
  picture.components[0] = {1, 1, 0, std::vector<int16_t>(64)};
  picture.components[0].blocks[0] = 1000;
  std::vector<uint8_t> jpeg;
  JpegReader reader;
  Pixels out({0, 0, 8, 8});
  return !writeJpeg(picture, jpeg) && !decode(reader, jpeg, {0, 0, 8, 8}, out) && out.rgb[0] == 255;
}

// Leaves no block whose samples could be beyond +-512: no cosine of the transform adds more than a quarter of its value.
void tame(Coefficients& picture) {
  for (int c = 0; c < picture.count; ++c) {
    Coefficients::Component& component = picture.components[c];
    const QuantTable& table = picture.tables[size_t(component.table)];
    for (size_t i = 0; i < component.blocks.size(); i += 64) {
      int sum = 0;
      for (size_t k = 0; k < 64; ++k) sum += std::abs(component.blocks[i + k]) * table[k];
      if (sum > 2000) std::fill_n(component.blocks.begin() + long(i), 64, int16_t(0));
    }
  }
}

const Case decoding("PackedReader gives libjpeg-turbo's pixels, of the whole and of crops, for every sampling", [](Check& check) {
  std::mt19937 random(62);
  const bool wild = clampsAll();
  check.note("%s", wild ? "wild coefficients too" : "libjpeg without SIMD: coefficients of photographs only");
  const Kernels& kernels = *chooseKernels(nullptr, nullptr);
  JpegReader reader;
  PackedReader packed(kernels);
  for (const Sampling& sampling : kSamplings) {
    for (const auto& [width, height] : kSizes) {
      for (int round = 0; round < 12; ++round) {
        Coefficients picture = randomPicture(width, height, sampling, (round % 3) * 10, random);
        if (!wild) tame(picture);
        std::vector<uint8_t> jpeg, bytes;
        check.that(!writeJpeg(picture, jpeg) && !pack(picture, kernels, bytes), "not written");
        PixelRect rect{0, 0, width, height};
        if (round % 2) {
          rect.x = int(random() % unsigned(width)), rect.y = int(random() % unsigned(height));
          rect.width = 1 + int(random() % unsigned(width - rect.x)), rect.height = 1 + int(random() % unsigned(height - rect.y));
        }
        Pixels expected(rect), got(rect);
        Fault fault = decode(reader, jpeg, rect, expected);
        if (!fault) fault = packed.open(bytes, 0, nullptr, kAnySize);
        if (!fault) fault = packed.decode(rect);
        if (!fault) packed.rows(rect, got);
        check.that(!fault && got.rgb == expected.rgb, "%s %dx%d of %dx%d: %s", sampling.name().c_str(), rect.width, rect.height, width, height, fault.reason);
      }
    }
  }
});

const Case tooLarge("writeJpeg refuses coefficients that no JPEG holds, and gives its memory back", [](Check& check) {
  Coefficients picture;
  picture.width = picture.height = 8;
  picture.count = 1;
  picture.tables.resize(1);
  picture.tables[0].fill(1);
  picture.components[0] = {1, 1, 0, std::vector<int16_t>(64)};
  for (const auto& [place, value, sound] : {std::tuple(5, 1023, true), {5, 1024, false}, {0, 2047, true}, {0, -2048, false}, {63, -32768, false}}) {
    std::fill(picture.components[0].blocks.begin(), picture.components[0].blocks.end(), int16_t(0));
    picture.components[0].blocks[size_t(place)] = int16_t(value);
    std::vector<uint8_t> jpeg;
    Coefficients back;
    check.that(!writeJpeg(picture, jpeg) == sound, "%d at %d", value, place);
    if (sound) check.that(!read(jpeg, back) && back == picture, "%d at %d does not come back", value, place);
  }
  picture.width = 65535;  // libjpeg's limit is 65500
  picture.components[0].blocksWide = 8192;
  picture.components[0].blocks.assign(64 * 8192, 0);
  std::vector<uint8_t> jpeg;
  check.that(writeJpeg(picture, jpeg).code != FaultCode::none && jpeg.empty(), "too wide");
});

}  // namespace
