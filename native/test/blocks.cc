#include "blocks.h"

#include <algorithm>

#include "../dct/packed_picture.h"
#include "cases.h"

using namespace headrace;

namespace {

int between(int low, int high, std::mt19937& random) { return low + int(random() % unsigned(high - low + 1)); }

// Frequencies (place in the block) in the order of docs/formats/dct.md.
int placeOf(int s) {
  const int q = s >> 4, r = (s >> 2) & 3, c = s & 3;
  return (r + 4 * (q >> 1)) * 8 + c + 4 * (q & 1);
}

}  // namespace

void fillBlock(int16_t* block, Content content, int mostAc, std::mt19937& random) {
  std::fill(block + 1, block + 64, int16_t(0));
  const int narrow = std::min(7, mostAc), least = -std::min(8, mostAc);
  const auto any = [&] { return int16_t(between(-mostAc, mostAc, random)); };
  const auto put = [&](int rows, int columns, int tries) {
    for (int i = 0; i < tries; ++i) {
      const int place = int(random() % unsigned(rows)) * 8 + int(random() % unsigned(columns));
      if (place != 0) block[place] = random() % 8 == 0 ? any() : int16_t(between(least, narrow, random));
    }
  };
  switch (content) {
    case Content::nothing: break;
    case Content::low: put(4, 4, 6); break;
    case Content::upper: put(4, 8, 8); break;
    case Content::left: put(8, 4, 8); break;
    case Content::sparse: put(8, 8, 5); break;
    case Content::dense:
      for (int i = 1; i < 64; ++i) block[i] = int16_t(between(least, narrow, random));
      break;
    case Content::escapes:
      for (int i = 1; i < 64; ++i) block[i] = int16_t(between(-std::min(127, mostAc), std::min(127, mostAc), random));
      break;
    case Content::wides:
      for (int i = 1; i < 64; ++i) block[i] = random() % 2 ? any() : int16_t(0);
      break;
  }
}

Coefficients randomPicture(int width, int height, const Sampling& sampling, int coarse, std::mt19937& random) {
  PackedPicture geometry;
  setGeometry(geometry, width, height, sampling.count, sampling.horizontal, sampling.vertical);
  Coefficients picture;
  picture.width = width;
  picture.height = height;
  picture.count = sampling.count;
  picture.horizontal = sampling.horizontal;
  picture.vertical = sampling.vertical;
  picture.tables.resize(sampling.count == 1 ? 1 : 1 + random() % 3);
  for (QuantTable& table : picture.tables) {
    for (uint16_t& entry : table) entry = uint16_t(coarse == 0 ? 1 : between(1, coarse, random));
  }
  for (int c = 0; c < sampling.count; ++c) {
    Coefficients::Component& component = picture.components[c];
    component.blocksWide = geometry.components[c].blocksWide;
    component.blocksHigh = geometry.components[c].blocksHigh;
    component.table = c % int(picture.tables.size());
    component.blocks.resize(size_t(component.blocksWide) * size_t(component.blocksHigh) * 64);
    const bool calm = random() % 3 == 0;  // most strips of a photograph need no WIDE
    // 16 entries of two columns that sum to less than 5792 with the DC coefficient's at most half of that.
    const int mostAc = std::min(kMostAc, 2800 / 15 / std::max(1, coarse)), mostDc = std::min(kMostDc, 2800 / std::max(1, coarse));
    for (size_t i = 0; i < component.blocks.size(); i += 64) {
      int16_t* block = component.blocks.data() + i;
      fillBlock(block, Content(random() % (calm ? 6 : kContents)), calm ? std::min(100, mostAc) : mostAc, random);
      block[0] = int16_t(calm ? between(-60, 60, random) % (mostDc + 1) : between(-mostDc, mostDc, random));
      // One large value is as good as many small ones.
      if (coarse == 0 && !calm && random() % 8 == 0) {
        fillBlock(block, Content::nothing, 0, random);
        block[1 + random() % 63] = int16_t(random() % 2 ? kMostAc : -kMostAc);
        block[0] = int16_t(random() % 2 ? kMostDc : kLeastDc);
      }
    }
  }
  return picture;
}

bool operator==(const Coefficients& a, const Coefficients& b) {
  if (a.width != b.width || a.height != b.height || a.horizontal != b.horizontal || a.vertical != b.vertical || a.count != b.count) return false;
  for (int c = 0; c < a.count; ++c) {
    const Coefficients::Component &x = a.components[c], &y = b.components[c];
    if (x.blocksWide != y.blocksWide || x.blocksHigh != y.blocksHigh || x.blocks != y.blocks) return false;
    if (a.tables[size_t(x.table)] != b.tables[size_t(y.table)]) return false;
  }
  return true;
}

Sections Sections::of(const std::vector<int16_t>& blocks) {
  Sections out;
  std::vector<uint8_t> values, wideAc;
  const auto putWide = [](std::vector<uint8_t>& to, int value) {
    to.push_back(uint8_t(value));
    to.push_back(uint8_t(value >> 8));
  };
  int before = 0;
  for (const int16_t* block = blocks.data(); block < blocks.data() + blocks.size(); block += 64) {
    const int difference = int16_t(uint16_t(block[0] - before));
    before = block[0];
    out.dc.push_back(difference >= -127 && difference <= 127 ? uint8_t(difference) : 0x80);
    if (out.dc.back() == 0x80) putWide(out.wides, difference);
    out.hdr.push_back(0);
    for (int g = 0; g < 8; ++g) {
      uint8_t mask = 0;
      for (int k = 0; k < 8; ++k) {
        const int value = 8 * g + k == 0 ? 0 : block[placeOf(8 * g + k)];
        if (value == 0) continue;
        mask = uint8_t(mask | 1 << k);
        const bool fits = value >= -8 && value <= 7, fitsByte = value >= -127 && value <= 127;
        values.push_back(fits ? uint8_t(value & 15) : 0);
        if (!fits) out.escapes.push_back(fitsByte ? uint8_t(value) : 0x80);
        if (!fitsByte) putWide(wideAc, value);
      }
      if (mask == 0) continue;
      out.hdr.back() = uint8_t(out.hdr.back() | 1 << g);
      out.mask.push_back(mask);
    }
  }
  for (size_t i = 0; i < values.size(); i += 2) out.nibbles.push_back(uint8_t(values[i] | (i + 1 < values.size() ? values[i + 1] << 4 : 0)));
  out.wides.insert(out.wides.end(), wideAc.begin(), wideAc.end());
  return out;
}

size_t Sections::values() const {
  size_t sum = 0;
  for (const uint8_t byte : mask) sum += size_t(__builtin_popcount(byte));
  return sum;
}

void Sections::measure(std::mt19937& random) {
  const auto fit = [&](std::vector<uint8_t>& section, size_t size) {
    const uint8_t telling[] = {0x80, 0x00, 0xff, 0x01, uint8_t(random()), uint8_t(random())};
    while (section.size() < size) section.push_back(telling[random() % std::size(telling)]);
    section.resize(size);
  };
  size_t masks = 0, zeros = 0;
  for (const uint8_t byte : hdr) masks += size_t(__builtin_popcount(byte));
  fit(mask, masks);
  fit(nibbles, (values() + 1) / 2);
  for (size_t i = 0; i < values(); ++i) zeros += (nibbles[i / 2] >> (i % 2 * 4) & 15) == 0;
  fit(escapes, zeros);
  fit(wides, 2 * size_t(std::count(dc.begin(), dc.end(), 0x80) + std::count(escapes.begin(), escapes.end(), 0x80)));
}

std::vector<uint8_t> Sections::joined() const {
  std::vector<uint8_t> all;
  for (const auto* section : {&dc, &hdr, &mask, &nibbles, &escapes, &wides}) all.insert(all.end(), section->begin(), section->end());
  return all;
}

PlacedStrip::PlacedStrip(const Sections& sections, std::mt19937& random) {
  const std::vector<uint8_t>* from[6] = {&sections.dc, &sections.hdr, &sections.mask, &sections.nibbles, &sections.escapes, &sections.wides};
  for (int i = 0; i < 6; ++i) {
    memory_[i] = randomBytes(from[i]->size() + kStripPadding, random);
    std::copy(from[i]->begin(), from[i]->end(), memory_[i].begin());
  }
  strip_ = {memory_[0].data(), memory_[1].data(), memory_[2].data(), memory_[3].data(), memory_[4].data(), memory_[5].data(),
            uint32_t(sections.hdr.size()), uint32_t(sections.mask.size()), uint32_t(sections.values()), uint32_t(sections.escapes.size()),
            uint32_t(sections.wides.size() / 2)};
}
