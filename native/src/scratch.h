// What one pool thread uses again for every picture.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "jpeg_reader.h"
#include "resampler.h"
#include "yuv420_reader.h"

namespace headrace {

// The kernels in use, chosen once.
const Kernels& kernels();

struct Scratch {
  JpegReader reader{kernels()};
  Packer packer{kernels()};
  PackedReader packed{kernels()};
  Yuv420Reader yuv420{kernels()};
  Resampler resampler{kernels()};
  std::vector<uint8_t> pixels;  // a decoded rectangle that several views share

  // One huge picture must not keep its memory in every thread for ever. Below this, taking it anew would cost more than
  // it saves: a decoded picture of 22 megapixels.
  static constexpr size_t kKept = 64 << 20;
  void trim() {
    if (bytes() <= kKept) return;
    pixels = std::vector<uint8_t>();
    reader.release();
    packer.release();
    resampler.release();
    packed.release();
    yuv420.release();
  }

  size_t bytes() const { return reader.bytes() + packer.bytes() + packed.bytes() + yuv420.bytes() + resampler.bytes() + pixels.capacity(); }
  // Change in bytes() since the last call.
  ptrdiff_t grown() {
    const size_t now = bytes();
    const auto change = static_cast<ptrdiff_t>(now) - static_cast<ptrdiff_t>(counted_);
    counted_ = now;
    return change;
  }

 private:
  size_t counted_ = 0;
};

}  // namespace headrace
