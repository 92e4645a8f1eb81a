// Planes of YUV 4:2:0 (docs/formats/cache.md) -> rows of a rectangle, straight from the stored bytes under it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.h"
#include "fault.h"
#include "row_sink.h"

namespace headrace {

// Bytes of a picture of such a size; both sides are even.
constexpr size_t yuv420Bytes(int width, int height) {
  return static_cast<size_t>(width) * static_cast<size_t>(height) / 2 * 3;
}

class Yuv420Reader {
 public:
  explicit Yuv420Reader(const Kernels& kernels) : kernels_(kernels) {}

  // `readable`: bytes behind the sample that may be read. The sample must stay until the last row. `fancy`: chroma
  // through libjpeg's triangle filter, else each sample repeated.
  Fault open(std::span<const uint8_t> sample, size_t readable, int width, int height, bool fancy, double maxPixels);
  // Gives the rows of `rect` (inside the picture).
  void rows(const PixelRect& rect, RowSink& sink);

  size_t bytes() const { return line_.capacity(); }
  void release();

 private:
  // What the rows of one rectangle take of a plane of chroma.
  struct Chroma {
    const uint8_t* samples = nullptr;  // the first of row 0 that is needed
    uint8_t* copies = nullptr;         // kCopies rows, where they have to be copied to get edges
    int copied[4] = {};                // which row each holds
    uint8_t* repeated = nullptr;       // a row, where nothing is filtered
  };
  const uint8_t* withEdges(Chroma& plane, int row);
  void repeat(Chroma& plane, int row);
  bool mayRead(const uint8_t* from, size_t bytes) const { return static_cast<size_t>(end_ - from) >= bytes; }

  const Kernels& kernels_;
  std::span<const uint8_t> sample_;
  const uint8_t* end_ = nullptr;  // of what may be read
  int width_ = 0, height_ = 0;
  bool filtered_ = false;
  int from_ = 0, count_ = 0;      // samples of a row of chroma that the rectangle needs, without their neighbours
  size_t stride_ = 0;
  std::vector<uint8_t> line_;
};

}  // namespace headrace
