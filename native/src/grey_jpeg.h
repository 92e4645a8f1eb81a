// Grey pixels as a baseline JPEG with the standard's tables, by libjpeg(-turbo).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "fault.h"

namespace headrace {

// `pixels`: width x height, both up to kMaxSide of view.h. quality: 1 .. 100, as libjpeg has it.
Fault writeGreyJpeg(std::span<const uint8_t> pixels, int width, int height, int quality, std::vector<uint8_t>& out);

// Into memory of at least kLeastJpegRoom bytes. `used` is 0 where that is too little.
constexpr size_t kLeastJpegRoom = 65536;
Fault writeGreyJpegInto(std::span<const uint8_t> pixels, int width, int height, int quality, std::span<uint8_t> into, size_t& used);

}  // namespace headrace
