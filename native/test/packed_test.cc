// Packed pictures, plain and compact: what is packed comes back, and crops have the pixels of the whole.
#include <algorithm>

#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "samples.h"
#include "sections.h"

using namespace headrace;

namespace {

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
      Planes whole(rect);
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
          Planes planes(crop);
          if (sound) reader.rows(crop, planes);
          check.that(sound && planes.pixels == whole.part(crop), "%s %s %dx%d crop %d,%d %dx%d", kernels->name, sampling.name().c_str(), width, height,
                     crop.x, crop.y, crop.width, crop.height);
        }
      }
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
