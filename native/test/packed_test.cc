// Packed pictures, plain and compact: what is packed comes back, crops have the pixels of the whole, and bytes that
// contradict themselves are refused.
#include <algorithm>

#include "../dct/compact.h"
#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "blocks.h"
#include "cases.h"

using namespace headrace;

namespace {

constexpr double kAnySize = 1e9;

std::vector<const Kernels*> allTables() {
  auto tables = simdTables();
  tables.push_back(&kScalarKernels);
  return tables;
}

// Rows of a rectangle, three planes.
class Kept final : public RowSink {
 public:
  explicit Kept(const PixelRect& rect) : rect_(rect) {}
  uint8_t* target(int) override { return nullptr; }
  void row(int, const uint8_t*) override {}
  void planes(int, const uint8_t* const (&rgb)[3]) override {
    for (const uint8_t* plane : rgb) pixels.insert(pixels.end(), plane, plane + rect_.width);
  }
  std::vector<uint8_t> part(const PixelRect& inner) const {
    std::vector<uint8_t> out;
    for (int y = inner.y; y < inner.y + inner.height; ++y) {
      for (int c = 0; c < 3; ++c) {
        const auto begin = pixels.begin() + long((3 * (y - rect_.y) + c) * rect_.width + inner.x - rect_.x);
        out.insert(out.end(), begin, begin + inner.width);
      }
    }
    return out;
  }
  std::vector<uint8_t> pixels;

 private:
  const PixelRect rect_;
};

// A sample in memory of exactly its size and `readable` bytes more.
struct Sample {
  Sample(const std::vector<uint8_t>& bytes, size_t readable, std::mt19937& random) : memory(randomBytes(bytes.size() + readable, random)), size(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), memory.begin());
  }
  std::span<const uint8_t> bytes() const { return {memory.data(), size}; }
  std::vector<uint8_t> memory;
  size_t size;
};

struct Whole {
  Fault fault;
  std::vector<uint8_t> pixels;
  bool operator==(const Whole& other) const { return fault.code == other.fault.code && std::strcmp(fault.reason, other.fault.reason) == 0 && pixels == other.pixels; }
};

Whole decode(const Kernels& kernels, const std::vector<uint8_t>& bytes, const RansTable* table, std::mt19937& random, size_t readable = kStripPadding) {
  const Sample sample(bytes, readable, random);
  PackedReader reader(kernels);
  Whole whole;
  if ((whole.fault = reader.open(sample.bytes(), readable, table, kAnySize))) return whole;
  const PixelRect rect{0, 0, reader.width(), reader.height()};
  if ((whole.fault = reader.decode(rect))) return whole;
  Kept kept(rect);
  reader.rows(rect, kept);
  whole.pixels = kept.pixels;
  return whole;
}

std::vector<uint8_t> padded(std::vector<uint8_t> bytes) {
  bytes.resize(bytes.size() + kStripPadding);
  return bytes;
}

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

std::vector<uint8_t> packed(const Coefficients& picture, Check& check) {
  std::vector<uint8_t> out;
  const Fault fault = pack(picture, kScalarKernels, out);
  check.that(!fault, "pack: %s", fault.reason);
  return out;
}

constexpr int kSizes[][2] = {{1, 1}, {2, 3}, {3, 2}, {5, 5}, {7, 40}, {8, 8}, {9, 17}, {16, 16}, {17, 9}, {31, 33}, {33, 65}, {40, 7}, {64, 48}, {123, 61}};

const Case roundTrip("coefficients of every sampling and size come back, from plain and compact", [](Check& check) {
  std::mt19937 random(51);
  for (const Sampling& sampling : kSamplings) {
    for (const auto& [width, height] : kSizes) {
      for (const int coarse : {0, 20, 300}) {
        const Coefficients picture = randomPicture(width, height, sampling, coarse, random);
        const auto plain = packed(picture, check);
        const RansTable table = tableFor(random() % 2 ? plain : std::vector<uint8_t>());
        for (const auto& bytes : {plain, compacted(plain, table, check)}) {
          for (const Kernels* kernels : allTables()) {
            const size_t readable = random() % 2 ? kStripPadding : random() % kStripPadding;
            const Sample sample(bytes, readable, random);
            PackedReader reader(*kernels);
            Coefficients back;
            Fault fault = reader.open(sample.bytes(), readable, &table, kAnySize);
            if (!fault) fault = reader.coefficients(back);
            check.that(!fault && back == picture, "%s %s %dx%d form %d: %s", kernels->name, sampling.name().c_str(), width, height, bytes[5], fault.reason);
          }
        }
      }
    }
  }
});

const Case layout("pack writes the header, tables, directory and sections that docs/formats/dct.md says", [](Check& check) {
  std::mt19937 random(52);
  const Coefficients picture = randomPicture(45, 35, {3, 2, 2}, 300, random);
  std::vector<uint8_t> expected = {'H', 'D', 'C', 'T', 1, 0, 45, 0, 35, 0, 3, 0x22, 0, 0, 0, 0};
  expected[12] = uint8_t(picture.tables.size() | 0x10);
  for (int c = 0; c < 3; ++c) expected[13] = uint8_t(expected[13] | picture.components[c].table << (2 * c));
  const auto put = [](std::vector<uint8_t>& to, size_t value) {
    to.push_back(uint8_t(value));
    to.push_back(uint8_t(value >> 8));
  };
  for (const QuantTable& table : picture.tables)
    for (const uint16_t entry : table) put(expected, entry);
  std::vector<uint8_t> body;
  size_t rowBytes = 0;
  const int order[][2] = {{0, 0}, {0, 1}, {1, 0}, {2, 0}, {0, 2}, {0, 3}, {1, 1}, {2, 1}, {0, 4}, {1, 2}, {2, 2}};
  for (const auto& [c, y] : order) {
    const Coefficients::Component& component = picture.components[c];
    const int16_t* row = component.rowOfBlocks(y);
    const Sections sections = Sections::of({row, row + 64 * component.blocksWide});
    const auto joined = sections.joined();
    body.insert(body.end(), joined.begin(), joined.end());
    rowBytes += joined.size();
    if (c != 2) continue;
    put(expected, rowBytes);  // component 2 ends an MCU row
    rowBytes = 0;
  }
  expected.insert(expected.end(), body.begin(), body.end());
  check.that(packed(picture, check) == expected, "other bytes");
});

const Case pixels("every table, both forms and every crop give the pixels that scalar gives of the whole", [](Check& check) {
  std::mt19937 random(53);
  for (const Sampling& sampling : kSamplings) {
    for (const auto& [width, height] : kSizes) {
      const Coefficients picture = randomPicture(width, height, sampling, random() % 2 ? 0 : 12, random);
      const auto plain = packed(picture, check);
      const RansTable table = tableFor(plain);
      const auto tight = compacted(plain, table, check);
      const PixelRect rect{0, 0, width, height};
      const Whole expected = decode(kScalarKernels, plain, nullptr, random);
      check.that(!expected.fault, "%s", expected.fault.reason);
      Kept whole(rect);
      whole.pixels = expected.pixels;
      for (const Kernels* kernels : allTables()) {
        check.that(decode(*kernels, plain, nullptr, random, 0) == expected, "%s %s %dx%d plain", kernels->name, sampling.name().c_str(), width, height);
        check.that(decode(*kernels, tight, &table, random) == expected, "%s %s %dx%d compact", kernels->name, sampling.name().c_str(), width, height);
        PackedReader reader(*kernels);
        for (int round = 0; round < 12; ++round) {
          const int x = int(random() % unsigned(width)), y = int(random() % unsigned(height));
          const PixelRect crop{x, y, 1 + int(random() % unsigned(width - x)), 1 + int(random() % unsigned(height - y))};
          const Sample sample(round % 2 ? plain : tight, kStripPadding, random);
          const bool sound = !reader.open(sample.bytes(), kStripPadding, &table, kAnySize) && !reader.decode(crop);
          Kept kept(crop);
          if (sound) reader.rows(crop, kept);
          check.that(sound && kept.pixels == whole.part(crop), "%s %s %dx%d crop %d,%d %dx%d", kernels->name, sampling.name().c_str(), width, height,
                     crop.x, crop.y, crop.width, crop.height);
        }
      }
    }
  }
});

const Case cutShort("every beginning of a sample is refused, and so is one with a byte more", [](Check& check) {
  std::mt19937 random(54);
  const auto plain = packed(randomPicture(19, 21, {3, 2, 1}, 0, random), check);
  const RansTable table = tableFor(plain);
  for (auto bytes : {plain, compacted(plain, table, check)}) {
    check.that(!decode(kScalarKernels, bytes, &table, random).fault, "a sound one");
    for (size_t size = 0; size < bytes.size(); ++size)
      check.that(bool(decode(kScalarKernels, {bytes.begin(), bytes.begin() + long(size)}, &table, random, 0).fault), "%zu of %zu bytes", size, bytes.size());
    bytes.push_back(0);
    check.that(bool(decode(kScalarKernels, bytes, &table, random).fault), "one byte more");
  }
});

const Case damaged("a damaged sample has one verdict and the same pixels with every table", [](Check& check) {
  std::mt19937 random(55);
  int sound = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    const Sampling& sampling = kSamplings[random() % std::size(kSamplings)];
    auto bytes = packed(randomPicture(1 + int(random() % 40), 1 + int(random() % 40), sampling, random() % 2 ? 0 : 30, random), check);
    const RansTable table = tableFor({});
    if (round % 2) bytes = compacted(bytes, table, check);
    for (size_t i = 0; i <= random() % 3; ++i) bytes[random() % (round % 7 ? bytes.size() : std::min<size_t>(300, bytes.size()))] ^= uint8_t(1 << random() % 8);
    const Whole expected = decode(kScalarKernels, bytes, &table, random);
    ++(expected.fault ? refused : sound);
    for (const Kernels* kernels : simdTables()) {
      const Whole got = decode(*kernels, bytes, &table, random, random() % 2 ? 0 : kStripPadding);
      check.that(got == expected, "%s round %d: [%s] [%s]", kernels->name, round, got.fault.reason, expected.fault.reason);
    }
  }
  check.that(sound > 300 && refused > 300, "one-sided");
  check.note("%d sound, %d refused", sound, refused);
});

// A compact sample of one MCU row whose symbols are given, phase by phase.
std::vector<uint8_t> compactOf(int width, const std::vector<std::vector<RansSymbol>>& phases, const RansTable& table, const std::vector<uint8_t>& wides) {
  std::vector<uint8_t> row;
  ransEncode(table, phases, row);
  row.insert(row.end(), wides.begin(), wides.end());
  const uint8_t header[] = {'H', 'D', 'C', 'T', 1, 1, uint8_t(width), uint8_t(width >> 8), 8, 0, 1, 0x11, 0x21, 0, 0, 0};
  std::vector<uint8_t> out(kPackedHeaderBytes + 64, 1);
  std::copy(std::begin(header), std::end(header), out.begin());
  for (size_t b = 0; b < 4; ++b) out.push_back(uint8_t(row.size() >> (8 * b)));
  out.insert(out.end(), row.begin(), row.end());
  return out;
}

const Case fullest("a compact row may bring as many symbols as there are, DC's place among them, and is refused", [](Check& check) {
  std::mt19937 random(56);
  const RansTable table = tableFor({});
  for (const size_t blocks : {1, 5, 40, 600}) {
    for (const bool dcToo : {false, true}) {
      std::vector<std::vector<RansSymbol>> phases(4);
      for (size_t i = 0; i < blocks; ++i) phases[0].push_back({0xff, kHdrContext});
      for (size_t i = 0; i < blocks; ++i) phases[0].push_back({0, kDcContext});
      for (size_t i = 0; i < blocks; ++i)
        for (uint8_t g = 0; g < 8; ++g) phases[1].push_back({uint8_t(g == 0 && !dcToo ? 0xfe : 0xff), uint8_t(kMaskContext + g)});
      const size_t values = (dcToo ? 64 : 63) * blocks;
      for (size_t i = 0; i < (values + 1) / 2; ++i) phases[2].push_back({0, kNibbleContext});
      for (size_t i = 0; i < values; ++i) phases[3].push_back({9, kEscapeContext});
      const auto bytes = compactOf(int(8 * blocks), phases, table, {});
      for (const Kernels* kernels : allTables())
        check.that(bool(decode(*kernels, bytes, &table, random).fault) == dcToo, "%s %zu blocks%s", kernels->name, blocks, dcToo ? " with DC" : "");
    }
  }
});

const Case unsettled("a compact row with other states at its end, or words or WIDE left over, is refused", [](Check& check) {
  std::mt19937 random(57);
  const RansTable table = tableFor({});
  const std::vector<std::vector<RansSymbol>> phases = {{{0, kHdrContext}, {0x80, kDcContext}}, {}, {}, {}};
  const auto sound = compactOf(3, phases, table, {0, 1});
  check.that(!decode(kScalarKernels, sound, &table, random).fault, "a sound row");
  check.that(bool(decode(kScalarKernels, compactOf(3, phases, table, {0, 1, 0, 0}), &table, random).fault), "a WIDE too many");
  check.that(bool(decode(kScalarKernels, compactOf(3, phases, table, {}), &table, random).fault), "no WIDE");
  for (size_t i = 0; i < kRansStatesBytes; ++i) {
    auto bytes = sound;
    bytes[16 + 64 + 4 + i] ^= 1;
    check.that(bool(decode(kScalarKernels, bytes, &table, random).fault), "state byte %zu", i);
  }
  check.that(decode(kScalarKernels, sound, nullptr, random).fault.code == FaultCode::unsupported, "no table");
});

const Case longer("a row of the plain form that ends before or behind its strips is refused, also where the sum is right", [](Check& check) {
  std::mt19937 random(58);
  const auto plain = packed(randomPicture(24, 24, {1, 1, 1}, 200, random), check);
  const RansTable table = tableFor({});
  const size_t directory = kPackedHeaderBytes + 64;
  for (size_t row = 0; row < 3; ++row) {
    for (const int change : {1, -1}) {
      auto bytes = plain;
      bytes[directory + 2 * row] = uint8_t(bytes[directory + 2 * row] + change);
      bytes[directory + 2 * ((row + 1) % 3)] = uint8_t(bytes[directory + 2 * ((row + 1) % 3)] - change);
      for (const Kernels* kernels : allTables()) check.that(bool(decode(*kernels, bytes, nullptr, random).fault), "%s row %zu by %d", kernels->name, row, change);
      const Sample sample(bytes, kStripPadding, random);
      std::vector<uint8_t> out;
      RansCounts counts{};
      check.that(bool(compact(sample.bytes(), table, kScalarKernels, out)), "compact takes row %zu", row);
      check.that(bool(countSymbols(sample.bytes(), kScalarKernels, counts)), "countSymbols takes row %zu", row);
    }
  }
});

const Case refusing("pack refuses coefficients that no JPEG holds or that overflow, and unknown sampling", [](Check& check) {
  const auto packs = [&](int place, int value, int entry, int place2 = 8, int value2 = 0) {
    Coefficients picture;
    picture.width = picture.height = 8;
    picture.count = 1;
    picture.tables.resize(1);
    picture.tables[0].fill(uint16_t(entry));
    picture.components[0] = {1, 1, 0, std::vector<int16_t>(64)};
    picture.components[0].blocks[size_t(place)] = int16_t(value);
    picture.components[0].blocks[size_t(place2)] = int16_t(value2);
    std::vector<uint8_t> out;
    const Fault fault = pack(picture, kScalarKernels, out);
    check.that(!fault || fault.code == FaultCode::unsupported, "%s", fault.reason);
    return !fault;
  };
  for (const int sign : {1, -1}) {
    check.that(packs(9, sign * 1023, 1) && !packs(9, sign * 1024, 1), "1024 with sign %d", sign);
    check.that(packs(0, sign * 362, 16) && !packs(0, sign * 363, 16), "DC of 5808 with sign %d", sign);
    check.that(packs(63, sign * 181, 32) && !packs(63, sign * 181, 33), "AC of 5973 with sign %d", sign);
    check.that(packs(9, sign * 500, 8, 13, 224) && !packs(9, sign * 500, 8, 13, -225), "columns 1 and 5");
    check.that(packs(9, sign * 500, 8, 14, 225), "columns 1 and 6");
  }
  check.that(packs(0, 1023, 1) && packs(0, -1024, 1) && !packs(0, 1024, 1) && !packs(0, -1025, 1), "DC");
  check.that(!packs(1, -32768, 0) && !packs(0, -32768, 0), "a table of zeros");
  Coefficients odd;
  odd.width = odd.height = 8;
  odd.count = 3;
  std::vector<uint8_t> out;
  for (const auto& [h, v] : {std::pair(1, 4), std::pair(4, 2), std::pair(3, 1), std::pair(0, 1), std::pair(2, 4)}) {
    odd.horizontal = h, odd.vertical = v;
    check.that(pack(odd, kScalarKernels, out).code == FaultCode::unsupported, "%dx%d", h, v);
  }
  odd.count = 4, odd.horizontal = odd.vertical = 1;
  check.that(pack(odd, kScalarKernels, out).code == FaultCode::unsupported, "four components");
});

}  // namespace
