// decodeStrip, countEscapes and packBlocks: SIMD against scalar bit for bit, on strips that pack() makes and on strips that
// only damage makes. Sections, scratch and output have their exact sizes, for `make sanitize`.
#include <algorithm>
#include <cmath>

#include "../kernels/scalar_dct.h"
#include "blocks.h"
#include "cases.h"
#include "sections.h"

using namespace headrace;

namespace {

// The sections where decodeStrip finds them, each with kStripPadding bytes of noise behind it and not a byte more.
class PlacedStrip {
 public:
  PlacedStrip(const Sections& sections, std::mt19937& random) {
    const std::vector<uint8_t>* from[6] = {&sections.dc, &sections.hdr, &sections.mask, &sections.nibbles, &sections.escapes, &sections.wides};
    for (int i = 0; i < 6; ++i) {
      memory_[i] = randomBytes(from[i]->size() + kStripPadding, random);
      std::copy(from[i]->begin(), from[i]->end(), memory_[i].begin());
    }
    strip_ = {memory_[0].data(), memory_[1].data(), memory_[2].data(), memory_[3].data(), memory_[4].data(), memory_[5].data(),
              uint32_t(sections.hdr.size()), uint32_t(sections.mask.size()), uint32_t(sections.values()), uint32_t(sections.escapes.size()),
              uint32_t(sections.wides.size() / 2)};
  }
  const PackedStrip& strip() const { return strip_; }

 private:
  std::vector<uint8_t> memory_[6];
  PackedStrip strip_;
};

constexpr uint8_t kUntouched = 0x5a;

struct Decoded {
  bool sound;
  std::vector<uint8_t> samples;  // 8 rows of the blocks that were asked for
  bool kept;                     // nothing was written beyond the last group of blocks
  bool operator==(const Decoded& other) const { return sound == other.sound && (!sound || samples == other.samples); }
};

Decoded decode(const Kernels& kernels, const PackedStrip& strip, uint32_t first, uint32_t last, const uint16_t* table,
               std::mt19937& random) {
  const size_t blocks = last - first, width = 8 * blocks;
  const size_t written = (blocks + kBlockGroup - 1) / kBlockGroup * kBlockGroup * 8, stride = written + random() % 9;
  std::vector<uint8_t> out(7 * stride + written, kUntouched);
  const auto noise = randomBytes(64 * blocks + kStripPadding, random);
  std::vector<int8_t> values(noise.begin(), noise.end());
  Decoded decoded{kernels.decodeStrip(strip, first, last, table, values.data(), out.data(), stride), {}, true};
  for (size_t row = 0; row < 8; ++row) {
    const auto begin = out.begin() + long(row * stride);
    decoded.samples.insert(decoded.samples.end(), begin, begin + long(width));
    if (row < 7) decoded.kept = decoded.kept && std::all_of(begin + long(written), begin + long(stride), [](uint8_t b) { return b == kUntouched; });
  }
  return decoded;
}

struct Table {
  uint16_t entries[64];
  Table(int most, std::mt19937& random) {
    for (uint16_t& entry : entries) entry = uint16_t(most == 0 ? 1 : 1 + random() % unsigned(most));
  }
};

std::vector<int16_t> randomBlocks(uint32_t count, unsigned contents, int mostAc, int mostDc, std::mt19937& random) {
  std::vector<int16_t> blocks(64 * size_t(count));
  for (size_t i = 0; i < blocks.size(); i += 64) {
    Content content;
    do content = Content(random() % kContents);
    while (!(contents >> int(content) & 1));
    fillBlock(blocks.data() + i, content, mostAc, random);
    blocks[i] = int16_t(int(random() % unsigned(2 * mostDc + 1)) - mostDc);
  }
  return blocks;
}

constexpr unsigned only(Content content) { return 1u << int(content); }

// Which contents a strip mixes: the shortcuts need strips in which all blocks of a group are alike.
constexpr unsigned kMixes[] = {
    only(Content::nothing),
    only(Content::low),
    only(Content::upper),
    only(Content::left),
    only(Content::nothing) | only(Content::low),
    only(Content::nothing) | only(Content::left),
    only(Content::low) | only(Content::upper),
    only(Content::sparse) | only(Content::nothing),
    only(Content::dense),
    only(Content::escapes),
    only(Content::escapes) | only(Content::nothing),
    only(Content::wides) | only(Content::sparse),
    (1u << kContents) - 1,
};

const Case ranges("decodeStrip equals scalar for every first and last, content and table", [](Check& check) {
  std::mt19937 random(21);
  const int tables[] = {0, 12, 255, 65535};
  const int magnitudes[][2] = {{7, 20}, {127, 100}, {1023, 1023}, {32767, 32767}};
  for (const unsigned mix : kMixes) {
    for (int round = 0; round < 16; ++round) {
      const auto [mostAc, mostDc] = magnitudes[round % 4];
      const Table table(tables[round / 4], random);
      const PlacedStrip placed(Sections::of(randomBlocks(1 + random() % 11, mix, mostAc, mostDc, random)), random);
      const PackedStrip& strip = placed.strip();
      for (uint32_t first = 0; first < strip.blocks; ++first) {
        for (uint32_t last = first + 1; last <= strip.blocks; ++last) {
          const Decoded expected = decode(kScalarKernels, strip, first, last, table.entries, random);
          check.that(expected.sound && expected.kept, "scalar mix %#x round %d [%u, %u) refused", mix, round, first, last);
          for (const Kernels* kernels : simdTables()) {
            const Decoded got = decode(*kernels, strip, first, last, table.entries, random);
            check.that(got == expected, "%s mix %#x round %d [%u, %u)", kernels->name, mix, round, first, last);
            check.that(got.kept, "%s mix %#x [%u, %u) writes beyond its blocks", kernels->name, mix, first, last);
          }
        }
      }
    }
  }
});

const Case longStrips("decodeStrip equals scalar on strips of hundreds of blocks", [](Check& check) {
  std::mt19937 random(22);
  for (int round = 0; round < 40; ++round) {
    const Table table(round % 2 ? 30 : 255, random);
    const PlacedStrip placed(Sections::of(randomBlocks(100 + random() % 400, kMixes[size_t(round) % std::size(kMixes)], 1023, 1023, random)), random);
    const uint32_t first = random() % placed.strip().blocks, last = first + 1 + random() % (placed.strip().blocks - first);
    const Decoded expected = decode(kScalarKernels, placed.strip(), first, last, table.entries, random);
    check.that(expected.sound, "scalar round %d refused", round);
    for (const Kernels* kernels : simdTables())
      check.that(decode(*kernels, placed.strip(), first, last, table.entries, random) == expected, "%s round %d", kernels->name, round);
  }
});

const Case hostile("decodeStrip gives scalar's verdict and samples for strips that only damage makes", [](Check& check) {
  std::mt19937 random(23);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 12000; ++round) {
    const Table table(round % 2 ? 20 : 65535, random);
    Sections sections = Sections::of(randomBlocks(1 + random() % 9, kMixes[size_t(round) % std::size(kMixes)], 2000, 400, random));
    sections.damage(random);
    const PlacedStrip placed(sections, random);
    const uint32_t blocks = placed.strip().blocks, first = random() % blocks, last = first + 1 + random() % (blocks - first);
    for (const auto& [from, to] : {std::pair(first, last), std::pair(0u, blocks), std::pair(first, first + 1)}) {
      const Decoded expected = decode(kScalarKernels, placed.strip(), from, to, table.entries, random);
      ++(expected.sound ? accepted : refused);
      for (const Kernels* kernels : simdTables()) {
        const Decoded got = decode(*kernels, placed.strip(), from, to, table.entries, random);
        check.that(got == expected && got.kept, "%s round %d [%u, %u) of %u: %s, scalar %s", kernels->name, round, from, to, blocks,
                   got.sound ? "sound" : "refused", expected.sound ? "sound" : "refused");
      }
    }
  }
  check.that(accepted > 3000 && refused > 3000, "one-sided");
  check.note("%d accepted, %d refused", accepted, refused);
});

const Case parts("a strip that decodes as a whole decodes in every part, to the same samples", [](Check& check) {
  std::mt19937 random(24);
  int whole = 0;
  for (int round = 0; round < 2000; ++round) {
    const Table table(40, random);
    Sections sections = Sections::of(randomBlocks(2 + random() % 7, kMixes[size_t(round) % std::size(kMixes)], 300, 300, random));
    if (round % 4) sections.damage(random);
    const PlacedStrip placed(sections, random);
    const uint32_t blocks = placed.strip().blocks;
    for (const Kernels* kernels : {&kScalarKernels, chooseKernels(nullptr, nullptr)}) {
      const Decoded all = decode(*kernels, placed.strip(), 0, blocks, table.entries, random);
      if (!all.sound) continue;
      ++whole;
      for (uint32_t first = 0; first < blocks; ++first) {
        const Decoded part = decode(*kernels, placed.strip(), first, blocks, table.entries, random);
        bool same = part.sound;
        for (size_t row = 0; row < 8 && same; ++row)
          same = std::equal(part.samples.begin() + long(row * 8 * (blocks - first)), part.samples.begin() + long((row + 1) * 8 * (blocks - first)),
                            all.samples.begin() + long(row * 8 * blocks + 8 * first));
        check.that(same, "%s round %d from block %u of %u", kernels->name, round, first, blocks);
      }
    }
  }
  check.that(whole > 1000, "only %d", whole);
});

const Case meanings("a strip that says things the long way means what it says, and DC's place in a mask is refused", [](Check& check) {
  std::mt19937 random(25);
  const Table table(1, random);
  std::vector<int16_t> blocks(3 * 64);
  blocks[64] = -5;
  blocks[64 + 1] = 3, blocks[64 + 2] = -8;
  const PlacedStrip brief(Sections::of(blocks), random);
  // DC as WIDE, a mask byte of 0, an escape of a small value, a WIDE of one, an escape of 0, a nibble that is not used.
  const PlacedStrip lengthy({{0, 0x80, 5}, {0, 3, 0}, {0x0e, 0}, {0x00, 0xf0}, {3, 0x80, 0}, {0xfb, 0xff, 0xf8, 0xff}}, random);
  const PlacedStrip wrong({{0, 0, 0}, {0, 1, 0}, {0x01}, {0x01}, {}, {}}, random);
  const Decoded expected = decode(kScalarKernels, brief.strip(), 0, 3, table.entries, random);
  for (const Kernels* kernels : allTables()) {
    check.that(expected.sound && decode(*kernels, lengthy.strip(), 0, 3, table.entries, random) == expected, "%s", kernels->name);
    check.that(!decode(*kernels, wrong.strip(), 0, 3, table.entries, random).sound, "%s takes DC's place", kernels->name);
    check.that(!decode(*kernels, wrong.strip(), 1, 2, table.entries, random).sound, "%s takes DC's place alone", kernels->name);
    check.that(decode(*kernels, wrong.strip(), 2, 3, table.entries, random).sound, "%s reads what it was not asked for", kernels->name);
  }
});

const Case transform("scalar decodeStrip is the inverse DCT of the values in their order, rounded", [](Check& check) {
  std::mt19937 random(26);
  double worst = 0;
  for (int round = 0; round < 300; ++round) {
    const Table table(3, random);
    const auto blocks = randomBlocks(1, kMixes[size_t(round) % std::size(kMixes)], 12, 100, random);
    const PlacedStrip placed(Sections::of(blocks), random);
    const Decoded decoded = decode(kScalarKernels, placed.strip(), 0, 1, table.entries, random);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        double sum = 128;
        for (int v = 0; v < 8; ++v) {
          for (int u = 0; u < 8; ++u)
            sum += blocks[size_t(8 * v + u)] * table.entries[8 * v + u] / 4.0 * (u ? 1 : std::sqrt(0.5)) * (v ? 1 : std::sqrt(0.5)) *
                   std::cos((2 * x + 1) * u * M_PI / 16) * std::cos((2 * y + 1) * v * M_PI / 16);
        }
        worst = std::max(worst, std::abs(std::clamp(sum, 0.0, 255.0) - decoded.samples[size_t(8 * y + x)]));
      }
    }
  }
  check.that(worst < 0.6, "off by %.3f", worst);
  check.note("off by %.3f at most", worst);
});

const Case unpacking("unpackStrip gives back the blocks, whatever they are", [](Check& check) {
  std::mt19937 random(27);
  for (int round = 0; round < 300; ++round) {
    const auto blocks = randomBlocks(1 + random() % 20, kMixes[size_t(round) % std::size(kMixes)], 32767, 32767, random);
    const PlacedStrip placed(Sections::of(blocks), random);
    std::vector<int16_t> back(blocks.size(), 1);
    check.that(scalar::unpackStrip(placed.strip(), back.data()) && back == blocks, "round %d", round);
  }
});

const Case counting("countEscapes equals scalar for 0..400 nibbles, reading kStripPadding more at most", [](Check& check) {
  std::mt19937 random(28);
  for (size_t n = 0; n <= 400; ++n) {
    auto nibbles = randomBytes((n + 1) / 2 + kStripPadding, random);
    for (uint8_t& byte : nibbles) {
      if (random() % 3 == 0) byte = random() % 2 ? 0x00 : uint8_t(byte & 0xf0);
    }
    const uint32_t expected = kScalarKernels.countEscapes(nibbles.data(), n);
    for (const Kernels* kernels : simdTables())
      check.that(kernels->countEscapes(nibbles.data(), n) == expected, "%s n=%zu", kernels->name, n);
  }
  const uint8_t three[kStripPadding] = {0x00, 0x80, 0x0f};
  check.that(kScalarKernels.countEscapes(three, 5) == 3 && kScalarKernels.countEscapes(three, 6) == 4, "scalar");
});

const Case bits("countBits equals scalar for 0..400 bytes, reading no more", [](Check& check) {
  std::mt19937 random(30);
  for (size_t n = 0; n <= 400; ++n) {
    const auto bytes = random() % 4 ? randomBytes(n, random) : std::vector<uint8_t>(n, 0xff);
    uint32_t expected = 0;
    for (const uint8_t byte : bytes) expected += uint32_t(__builtin_popcount(byte));
    for (const Kernels* kernels : allTables()) check.that(kernels->countBits(bytes.data(), n) == expected, "%s n=%zu", kernels->name, n);
  }
});

// What packBlocks made of blocks, and whether it kept to its room.
struct Packed {
  bool sound, kept;
  std::vector<uint8_t> hdr, mask, values, escapes;
  std::vector<int16_t> wides;
  bool operator==(const Packed& other) const {
    return sound == other.sound && (!sound || (hdr == other.hdr && mask == other.mask && values == other.values && escapes == other.escapes && wides == other.wides));
  }
};

Packed packed(const Kernels& kernels, const std::vector<int16_t>& blocks, const uint16_t* table) {
  const size_t n = blocks.size() / 64, room = 64 * (n + 1);
  Guarded<uint8_t> hdr(n + 64), mask(room), values(room), escapes(room);
  Guarded<int16_t> wides(room);
  PackedSections ends{hdr.data(), mask.data(), values.data(), escapes.data(), wides.data()};
  Packed result{kernels.packBlocks(blocks.data(), n, table, ends), true, {}, {}, {}, {}, {}};
  result.kept = hdr.intactFrom(n + 64) && mask.intactFrom(room) && values.intactFrom(room) && escapes.intactFrom(room) && wides.intactFrom(room);
  result.hdr.assign(hdr.data(), ends.hdr);
  result.mask.assign(mask.data(), ends.mask);
  result.values.assign(values.data(), ends.values);
  result.escapes.assign(escapes.data(), ends.escapes);
  result.wides.assign(wides.data(), ends.wides);
  return result;
}

const Case packing("packBlocks equals scalar for blocks of every content, table and magnitude, and keeps to its room", [](Check& check) {
  std::mt19937 random(29);
  const int tables[] = {0, 12, 255, 65535}, magnitudes[][2] = {{7, 20}, {127, 300}, {1023, 1023}, {32767, 32767}};
  int refused = 0;
  for (const unsigned mix : kMixes) {
    for (int round = 0; round < 64; ++round) {
      const auto [mostAc, mostDc] = magnitudes[round % 4];
      const Table table(tables[round / 4 % 4], random);
      const auto blocks = randomBlocks(random() % 12, mix, mostAc, mostDc, random);
      const Packed expected = packed(kScalarKernels, blocks, table.entries);
      refused += !expected.sound;
      for (const Kernels* kernels : simdTables()) {
        const Packed got = packed(*kernels, blocks, table.entries);
        check.that(got == expected, "%s mix %#x round %d", kernels->name, mix, round);
        check.that(got.kept, "%s mix %#x round %d writes further", kernels->name, mix, round);
      }
    }
  }
  check.note("%d refused", refused);
});

const Case packingOne("packBlocks puts one coefficient where the scan has it, as a nibble, a byte or wide", [](Check& check) {
  std::mt19937 random(32);
  const Table ones(0, random);
  for (int place = 1; place < 64; ++place) {
    for (const int value : {1, 7, -8, 8, -9, 127, -127, 128, -128, 1023, -1023, 1024, -1024, -32768}) {
      std::vector<int16_t> block(64);
      block[size_t(place)] = int16_t(value);
      for (const Kernels* kernels : allTables()) {
        const Packed got = packed(*kernels, block, ones.entries);
        const bool fits = value >= -1023 && value <= 1023, narrow = value >= -8 && value <= 7, wide = value > 127 || value < -127;
        check.that(got.sound == fits, "%s %d at %d", kernels->name, value, place);
        if (!fits) continue;
        const int group = got.hdr[0] ? __builtin_ctz(got.hdr[0]) : -1;
        check.that(got.mask.size() == 1 && scalar::placeOfScan(8 * group + __builtin_ctz(got.mask[0])) == place, "%s place %d", kernels->name, place);
        check.that(got.values == std::vector<uint8_t>{uint8_t(narrow ? value & 15 : 0)}, "%s %d at %d: value", kernels->name, value, place);
        check.that(got.escapes == (narrow ? std::vector<uint8_t>{} : std::vector<uint8_t>{uint8_t(wide ? 0x80 : value)}), "%s %d at %d: escape", kernels->name, value, place);
        check.that(got.wides == (wide ? std::vector<int16_t>{int16_t(value)} : std::vector<int16_t>{}), "%s %d at %d: wide", kernels->name, value, place);
      }
    }
  }
});

const Case joining("joinNibbles joins 0..400 values two a byte, reading and writing no more", [](Check& check) {
  std::mt19937 random(31);
  for (size_t n = 0; n <= 400; ++n) {
    auto values = randomBytes(n, random);
    for (uint8_t& value : values) value &= 15;
    std::vector<uint8_t> expected((n + 1) / 2);
    for (size_t i = 0; i < n; ++i) expected[i / 2] = uint8_t(expected[i / 2] | values[i] << (i % 2 * 4));
    for (const Kernels* kernels : allTables()) {
      Guarded<uint8_t> out(expected.size());
      kernels->joinNibbles(values.data(), n, out.data());
      check.that(std::equal(expected.begin(), expected.end(), out.data()) && out.intactFrom(expected.size()), "%s n=%zu", kernels->name, n);
    }
  }
});

}  // namespace
