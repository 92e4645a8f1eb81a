// The plain form of a packed picture -> the compact one.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.h"
#include "../src/fault.h"
#include "rans.h"

namespace headrace {

// `plain` has kStripPadding readable bytes behind it.
Fault compact(std::span<const uint8_t> plain, const RansTable& table, const Kernels& kernels, std::vector<uint8_t>& out);
// Adds what a plain picture has of each symbol to the counts that a table is made of.
Fault countSymbols(std::span<const uint8_t> plain, const Kernels& kernels, RansCounts& counts);

}  // namespace headrace
