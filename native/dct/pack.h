// Coefficients -> a packed picture, plain form.
#pragma once
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "../src/fault.h"
#include "coefficients.h"
#include "packed_picture.h"

namespace headrace {

// `unsupported` where the coefficients are too large to be packed.
Fault pack(const Coefficients& coefficients, const Kernels& kernels, std::vector<uint8_t>& out);

}  // namespace headrace
