// The quantised coefficients of a JPEG.
#pragma once
#include <algorithm>
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

// Who takes the coefficients of a picture as they are read.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  // The picture, without its blocks. It may come again: what came before does not count then.
  virtual void begin(const Coefficients& picture) = 0;
  // Row y of the blocks of component c; MCU row by MCU row, there one component after the other.
  virtual void row(int c, int y, const int16_t* blocks) = 0;
};

// Keeps them all.
class KeepBlocks final : public BlockSink {
 public:
  explicit KeepBlocks(Coefficients& to) : to_(to) {}
  void begin(const Coefficients& picture) override {
    to_ = picture;
    for (Component& component : to_.components)
      component.blocks.resize(static_cast<size_t>(component.blocksWide) * static_cast<size_t>(component.blocksHigh) * 64);
  }
  void row(int c, int y, const int16_t* blocks) override {
    Component& component = to_.components[c];
    std::copy_n(blocks, static_cast<size_t>(component.blocksWide) * 64, component.rowOfBlocks(y));
  }

 private:
  using Component = Coefficients::Component;
  Coefficients& to_;
};

}  // namespace headrace
