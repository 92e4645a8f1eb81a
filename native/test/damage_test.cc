// Packed pictures that contradict themselves are refused, and every table says the same of damage.
#include <algorithm>

#include "../dct/compact.h"
#include "../dct/packed_picture.h"
#include "samples.h"

using namespace headrace;

namespace {

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
  const auto refused = [&](const std::vector<uint8_t>& bytes, const char* what, size_t row) {
    for (const Kernels* kernels : allTables()) check.that(bool(decode(*kernels, bytes, nullptr, random).fault), "%s %s row %zu", kernels->name, what, row);
    const Sample sample(bytes, kStripPadding, random);
    std::vector<uint8_t> out;
    RansCounts counts{};
    check.that(bool(compact(sample.bytes(), table, kScalarKernels, out)), "compact takes %s row %zu", what, row);
    check.that(bool(countSymbols(sample.bytes(), kScalarKernels, counts)), "countSymbols takes %s row %zu", what, row);
  };
  size_t end = directory + 3 * 2;
  for (size_t row = 0; row < 3; ++row) {
    uint16_t size;
    std::memcpy(&size, plain.data() + directory + 2 * row, sizeof size);
    end += size;
    const auto with = [&](size_t other, int change) {
      auto bytes = plain;
      bytes[directory + 2 * row] = uint8_t(bytes[directory + 2 * row] + change);
      bytes[directory + 2 * other] = uint8_t(bytes[directory + 2 * other] - (other != row ? change : 0));
      return bytes;
    };
    refused(with((row + 1) % 3, 1), "a byte from the next in", row);
    refused(with((row + 1) % 3, -1), "a byte for the next from", row);
    auto bytes = with(row, 1);
    bytes.insert(bytes.begin() + long(end), 0);
    refused(bytes, "a byte more in", row);
    bytes = with(row, -1);
    bytes.erase(bytes.begin() + long(end) - 1);
    refused(bytes, "a byte less in", row);
  }
});

}  // namespace
