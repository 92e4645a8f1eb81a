// libFuzzer target of packed coefficients, from untrusted bytes of both forms to planes of samples, coefficients and back.
// Input: see packed_input.h; packed_mutator.cc mutates it by its structure. decode_fuzz covers views, resizing and faults.
//
// Held for every input, besides what the sanitizers see in a sample of exactly its size (and kStripPadding bytes, where
// those may be read):
//   - verdict, reason and pixels do not depend on the instruction set, on what the reader decoded before, nor on the
//     bytes behind the sample;
//   - a crop of a picture that decodes has the pixels of the whole;
//   - what decodes has coefficients and the other way round; packed again, plain or compact, they give the same pixels;
//   - a plain sample's compact form, made of whatever it holds, gives its pixels or is refused as it is;
//   - what pack() takes, writeJpeg() writes, and libjpeg reads the same coefficients and pixels from it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "../dct/compact.h"
#include "../dct/jpeg_writer.h"
#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "../src/jpeg_reader.h"
#include "packed_input.h"

namespace headrace {
namespace {

constexpr double kMaxPixels = 1 << 16;
constexpr int kMaxJpegSide = 65500;
constexpr size_t kMaxTables = 4;

[[noreturn]] void fail(const char* what, const Fault& fault = {}, const Fault& other = {}) {
  std::fprintf(stderr, "packed_fuzz: %s [%s] [%s]\n", what, fault.reason, other.reason);
  std::abort();
}

// Bytes on the heap with `readable` more of one value behind them, and none else.
class Placed {
 public:
  Placed(std::span<const uint8_t> bytes, size_t readable, uint8_t behind)
      : size_(bytes.size()), readable_(readable), memory_(new uint8_t[bytes.size() + readable]) {
    std::copy(bytes.begin(), bytes.end(), memory_.get());
    std::fill_n(memory_.get() + size_, readable, behind);
  }
  std::span<const uint8_t> bytes() const { return {memory_.get(), size_}; }
  size_t readable() const { return readable_; }

 private:
  const size_t size_, readable_;
  const std::unique_ptr<uint8_t[]> memory_;
};

// Rows as interleaved pixels, whether they come as such or as planes.
class Pixels final : public RowSink {
 public:
  explicit Pixels(const PixelRect& rect) : rect_(rect), rgb_(static_cast<size_t>(rect.width) * static_cast<size_t>(rect.height) * 3) {}
  uint8_t* target(int) override { return nullptr; }
  void row(int y, const uint8_t* rgb) override { std::copy_n(rgb, 3 * static_cast<size_t>(rect_.width), at(rect_.x, y)); }
  void planes(int y, const uint8_t* const (&rgb)[3]) override {
    kScalarKernels.interleave(rgb[0], rgb[1], rgb[2], static_cast<size_t>(rect_.width), at(rect_.x, y));
  }
  // Whether these are the pixels of a part of `whole`.
  bool partOf(Pixels& whole) {
    for (int y = rect_.y; y < rect_.y + rect_.height; y++)
      if (!std::equal(at(rect_.x, y), at(rect_.x, y) + 3 * rect_.width, whole.at(rect_.x, y))) return false;
    return true;
  }

 private:
  uint8_t* at(int x, int y) {
    return rgb_.data() + (static_cast<size_t>(y - rect_.y) * static_cast<size_t>(rect_.width) + static_cast<size_t>(x - rect_.x)) * 3;
  }
  const PixelRect rect_;
  std::vector<uint8_t> rgb_;
};

struct Outcome {
  Fault fault;
  std::optional<Pixels> pixels;
};

Outcome decode(PackedReader& reader, const Placed& sample, const RansTable& table, const PixelRect& rect) {
  Outcome outcome;
  outcome.fault = reader.open(sample.bytes(), sample.readable(), &table, kMaxPixels);
  if (!outcome.fault) outcome.fault = reader.decode(rect);
  if (outcome.fault) return outcome;
  outcome.pixels.emplace(rect);
  reader.rows(rect, *outcome.pixels);
  return outcome;
}

void mustEqual(const char* what, Outcome got, Outcome& wanted) {
  if (got.fault.code != wanted.fault.code || std::strcmp(got.fault.reason, wanted.fault.reason) != 0) fail(what, got.fault, wanted.fault);
  if (got.pixels && !got.pixels->partOf(*wanted.pixels)) fail(what);
}

void mustGive(const char* what, Outcome got, Outcome& whole) {
  if (got.fault) fail(what, got.fault);
  if (!got.pixels->partOf(*whole.pixels)) fail(what);
}

bool same(const Coefficients& a, const Coefficients& b) {
  if (a.width != b.width || a.height != b.height || a.count != b.count || a.horizontal != b.horizontal || a.vertical != b.vertical) return false;
  for (int c = 0; c < a.count; c++) {
    const Coefficients::Component &x = a.components[c], &y = b.components[c];
    if (x.blocks != y.blocks || a.tables[static_cast<size_t>(x.table)] != b.tables[static_cast<size_t>(y.table)]) return false;
  }
  return true;
}

// A JPEG of coefficients that can be packed: the same coefficients, and libjpeg's pixels are ours.
void checkJpeg(const Coefficients& coefficients, const PixelRect& rect, Outcome& whole) {
  std::vector<uint8_t> jpeg;
  if (const Fault fault = writeJpeg(coefficients, jpeg)) fail("packed, but no JPEG holds it", fault);
  JpegOptions options;
  options.maxPixels = kMaxPixels;
  JpegReader reader;
  Coefficients back;
  Fault fault = reader.open(jpeg.data(), jpeg.size(), options);
  if (!fault) fault = reader.coefficients(back);
  if (fault || !same(coefficients, back)) fail("the JPEG has other coefficients", fault);
  Outcome outcome;
  outcome.fault = reader.open(jpeg.data(), jpeg.size(), options);
  outcome.pixels.emplace(rect);
  if (!outcome.fault) outcome.fault = reader.decode(rect, *outcome.pixels);
  mustGive("libjpeg gives other pixels", std::move(outcome), whole);
}

void checkCoefficients(PackedReader& reader, const Placed& sample, const RansTable& table, const PixelRect& rect, Outcome& whole) {
  Coefficients coefficients;
  if (const Fault fault = reader.open(sample.bytes(), sample.readable(), &table, kMaxPixels)) fail("opened before", fault);
  const Fault fault = reader.coefficients(coefficients);
  if (fault.code != whole.fault.code) fail("coefficients or pixels, but not both", fault, whole.fault);
  std::vector<uint8_t> plain, compacted;
  if (sample.bytes()[kFormAt] == static_cast<uint8_t>(PackedForm::plain)) {
    const Placed padded(sample.bytes(), kStripPadding, 0x3c);
    if (!compact(padded.bytes(), table, kScalarKernels, compacted)) {
      const Outcome outcome = decode(reader, Placed(compacted, 0, 0), table, rect);
      if (outcome.fault.code != whole.fault.code) fail("the compact form has another verdict", outcome.fault, whole.fault);
      if (!outcome.fault) mustGive("the compact form has other pixels", outcome, whole);
    } else if (!whole.fault) {
      fail("it decodes, but is not made compact");
    }
  }
  if (fault) return;
  if (pack(coefficients, kScalarKernels, plain)) return;
  mustGive("packed again, other pixels", decode(reader, Placed(plain, 0, 0), table, rect), whole);
  if (const Fault refused = compact(Placed(plain, kStripPadding, 0xc3).bytes(), table, kScalarKernels, compacted)) fail("pack's own is not made compact", refused);
  mustGive("made compact again, other pixels", decode(reader, Placed(compacted, kStripPadding, 0xff), table, rect), whole);
  if (std::max(rect.width, rect.height) <= kMaxJpegSide) checkJpeg(coefficients, rect, whole);
}

void run(const PackedInput& input) {
  RansTable table;
  if (!editedTable(input.options, table)) return;
  PackedReader fresh(kScalarKernels);
  const Placed sample(input.sample, (input.options.flags & 1) != 0 ? 0 : kStripPadding, 0x00), other(input.sample, kStripPadding, 0xff);
  if (fresh.open(sample.bytes(), sample.readable(), &table, kMaxPixels)) return;
  const PixelRect rect{0, 0, fresh.width(), fresh.height()};
  const auto within = [](uint16_t fraction, int size) { return static_cast<int>(fraction / 65536.0 * size); };
  const uint16_t c[] = {input.options.crop[0], input.options.crop[1], input.options.crop[2], input.options.crop[3]};
  const int x = within(c[0], rect.width), y = within(c[1], rect.height);
  const PixelRect crop{x, y, 1 + within(c[2], rect.width - x), 1 + within(c[3], rect.height - y)};

  Outcome whole = decode(fresh, sample, table, rect), part = decode(fresh, sample, table, crop);
  if (!whole.fault) mustGive("a crop of a sound picture", part, whole);
  const Kernels* tables[kMaxTables];
  static std::unique_ptr<PackedReader> used[kMaxTables];
  const size_t count = availableKernels(tables, kMaxTables);
  for (size_t t = 0; t < count; t++) {
    if (!used[t]) used[t] = std::make_unique<PackedReader>(*tables[t]);
    mustEqual(tables[t]->name, decode(*used[t], other, table, rect), whole);
    mustEqual(tables[t]->name, decode(*used[t], t % 2 ? sample : other, table, crop), part);
  }
  checkCoefficients(*used[0], sample, table, rect, whole);
}

}  // namespace
}  // namespace headrace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  headrace::PackedInput input;
  if (!input.read(data, size)) return -1;
  headrace::run(input);
  return 0;
}
