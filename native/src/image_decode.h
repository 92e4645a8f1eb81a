// One compressed picture -> the pixels of its views.
#pragma once
#include <span>

#include "fault.h"
#include "scratch.h"
#include "view.h"

namespace headrace {

struct Picture {
  std::span<const uint8_t> bytes;
  int width = 0, height = 0;  // what the header must say
};

// boxes[k] and out[k] belong to views[k]. On a fault every output of the picture is zeros.
Fault decodeImage(const Picture& picture, const JpegOptions& options, std::span<const View> views, std::span<const Box> boxes,
                  std::span<uint8_t* const> out, Scratch& scratch);

}  // namespace headrace
