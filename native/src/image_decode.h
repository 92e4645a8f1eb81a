// One compressed picture -> the pixels of its views.
#pragma once
#include <span>

#include "fault.h"
#include "scratch.h"
#include "view.h"

namespace headrace {

struct Picture {
  std::span<const uint8_t> bytes;
  int width = 0, height = 0;  // what the header must say, if there is one
  size_t readable = 0;        // bytes behind `bytes` that may be read
};

// How the pictures of a field are stored.
enum class Encoding {
  jpeg,
  packed,  // as docs/formats/dct.md says: packed coefficients or JPEG, each as it begins
  yuv420,  // planes, as docs/formats/cache.md says
};

struct Storage {
  Encoding encoding = Encoding::jpeg;
  const RansTable* table = nullptr;  // of the compact form
};

// boxes[k] and out[k] belong to views[k]. On a fault every output of the picture is zeros.
Fault decodeImage(const Picture& picture, const Storage& storage, const JpegOptions& options, std::span<const View> views, std::span<const Box> boxes,
                  std::span<uint8_t* const> out, Scratch& scratch);

}  // namespace headrace
