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

}  // namespace headrace
