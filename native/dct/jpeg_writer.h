// Coefficients -> a JPEG file that holds the same coefficients and tables, baseline or extended sequential.
#pragma once
#include <cstdint>
#include <vector>

#include "../src/fault.h"
#include "coefficients.h"

namespace headrace {

Fault writeJpeg(const Coefficients& coefficients, std::vector<uint8_t>& out);

}  // namespace headrace
