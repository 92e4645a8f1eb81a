// Coefficients -> a packed picture, plain form.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.h"
#include "../src/fault.h"
#include "coefficients.h"
#include "packed_picture.h"

namespace headrace {

// Adds directory and body, the bytes of all MCU rows, to a header and its tables.
void appendRows(std::span<const size_t> sizes, std::span<const uint8_t> body, std::vector<uint8_t>& out);
// `unsupported` where the coefficients are too large to be packed.
Fault pack(const Coefficients& coefficients, const Kernels& kernels, std::vector<uint8_t>& out);

}  // namespace headrace
