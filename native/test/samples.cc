#include "samples.h"

#include <algorithm>

#include "../dct/compact.h"
#include "../dct/pack.h"
#include "../dct/packed_reader.h"

using namespace headrace;

void Planes::planes(int, const uint8_t* const (&rgb)[3]) {
  for (const uint8_t* plane : rgb) pixels.insert(pixels.end(), plane, plane + rect_.width);
}

std::vector<uint8_t> Planes::part(const PixelRect& inner) const {
  std::vector<uint8_t> out;
  for (int y = inner.y; y < inner.y + inner.height; ++y) {
    for (int c = 0; c < 3; ++c) {
      const auto begin = pixels.begin() + long((3 * (y - rect_.y) + c) * rect_.width + inner.x - rect_.x);
      out.insert(out.end(), begin, begin + inner.width);
    }
  }
  return out;
}

Sample::Sample(const std::vector<uint8_t>& from, size_t readable, std::mt19937& random)
    : memory(randomBytes(from.size() + readable, random)), size(from.size()) {
  std::copy(from.begin(), from.end(), memory.begin());
}

bool Whole::operator==(const Whole& other) const {
  return fault.code == other.fault.code && std::strcmp(fault.reason, other.fault.reason) == 0 && pixels == other.pixels;
}

Whole decode(const Kernels& kernels, const std::vector<uint8_t>& bytes, const RansTable* table, std::mt19937& random, size_t readable) {
  const Sample sample(bytes, readable, random);
  PackedReader reader(kernels);
  Whole whole;
  if ((whole.fault = reader.open(sample.bytes(), readable, table, kAnySize))) return whole;
  const PixelRect rect{0, 0, reader.width(), reader.height()};
  if ((whole.fault = reader.decode(rect))) return whole;
  Planes planes(rect);
  reader.rows(rect, planes);
  whole.pixels = planes.pixels;
  return whole;
}

std::vector<uint8_t> packed(const Coefficients& picture, Check& check) {
  std::vector<uint8_t> out;
  const Fault fault = pack(picture, kScalarKernels, out);
  check.that(!fault, "pack: %s", fault.reason);
  return out;
}

namespace {

std::vector<uint8_t> padded(std::vector<uint8_t> bytes) {
  bytes.resize(bytes.size() + kStripPadding);
  return bytes;
}

}  // namespace

RansTable tableFor(const std::vector<uint8_t>& plain) {
  RansCounts counts{};
  const auto bytes = padded(plain);
  if (!plain.empty()) (void)countSymbols({bytes.data(), plain.size()}, kScalarKernels, counts);
  RansTable table;
  table.build(frequenciesOf(counts));
  return table;
}

std::vector<uint8_t> compacted(const std::vector<uint8_t>& plain, const RansTable& table, Check& check) {
  const auto bytes = padded(plain);
  std::vector<uint8_t> out;
  const Fault fault = compact({bytes.data(), plain.size()}, table, kScalarKernels, out);
  check.that(!fault, "compact: %s", fault.reason);
  return out;
}
