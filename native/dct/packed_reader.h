// Packed coefficients -> rows of a rectangle, touching only the blocks under it. The pixels are libjpeg-turbo's.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.h"
#include "../src/row_sink.h"
#include "coefficients.h"
#include "packed_picture.h"
#include "strips.h"

namespace headrace {

class PackedReader {
 public:
  explicit PackedReader(const Kernels& kernels) : kernels_(kernels), strips_(kernels) {}

  // Reads the header. `readable`: bytes behind the sample that may be read. Sample and table must stay until the last row.
  Fault open(std::span<const uint8_t> sample, size_t readable, const RansTable* table, double maxPixels);
  int width() const { return picture_.width; }
  int height() const { return picture_.height; }

  // Decodes what the rows of `rect` (inside the picture) need; `rows` may then be asked for any part of it.
  Fault decode(const PixelRect& rect);
  void rows(const PixelRect& rect, RowSink& sink);
  // All coefficients, as they were packed.
  Fault coefficients(Coefficients& out);

  size_t bytes() const;
  void release();

 private:
  struct Plane {
    std::vector<uint8_t> memory;
    size_t stride = 0;
    const uint8_t* origin = nullptr;  // where sample (0, 0) would be
    const uint8_t* at(int x, int y) const { return origin + static_cast<ptrdiff_t>(y) * static_cast<ptrdiff_t>(stride) + x; }
  };
  Fault decodePlane(int c, const PixelRect& samples);
  PixelRect samplesFor(int c, const PixelRect& rect) const;
  std::array<int, 2> chromaRows(int y) const;
  const uint8_t* chromaRow(int c, const PixelRect& rect, int y, uint8_t* upsampled);
  size_t blockAt(const PackedStrip& strip) const;

  const Kernels& kernels_;
  Strips strips_;
  PackedPicture picture_;
  const RansTable* table_ = nullptr;
  Plane planes_[3];
  std::vector<uint8_t> padded_;   // the sample, where too little is readable behind it
  std::vector<int8_t> values_;
  std::vector<uint8_t> line_;     // rows of R, G, B and of upsampled Cb, Cr
};

}  // namespace headrace
