#include "blocks.h"

#include <algorithm>

#include "../dct/packed_picture.h"

using namespace headrace;

namespace {

int between(int low, int high, std::mt19937& random) { return low + int(random() % unsigned(high - low + 1)); }

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
