// The quantised coefficients of a JPEG.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace headrace {

using QuantTable = std::array<uint16_t, 64>;  // row by row

struct Coefficients {
  struct Component {
    int blocksWide = 0, blocksHigh = 0;  // those that hold samples of the picture
    int table = 0;                       // index into `tables`
    std::vector<int16_t> blocks;         // 64 each, row by row; blocks row by row

    int16_t* rowOfBlocks(int y) { return blocks.data() + static_cast<size_t>(y) * static_cast<size_t>(blocksWide) * 64; }
    const int16_t* rowOfBlocks(int y) const { return const_cast<Component*>(this)->rowOfBlocks(y); }
  };
  int width = 0, height = 0;
  int horizontal = 1, vertical = 1;  // sampling factors of component 0; those of the others are 1 x 1
  int count = 0;                     // of components: 1 (gray) or 3 (Y, Cb, Cr)
  Component components[3];
  std::vector<QuantTable> tables;    // each once
};

}  // namespace headrace
