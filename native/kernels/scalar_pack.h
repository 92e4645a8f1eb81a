// Coefficients to packed ones in plain C++: the reference that every SIMD version is tested against, bit for bit.
// Everything is static: this is compiled once per instruction set, and the linker must not share those copies.
#pragma once
#include "scalar_dct.h"

namespace headrace::scalar {

// Absolute sums of two columns of a block up to which the transform's 16-bit values cannot overflow: each pass-1 value is
// at most 4 sqrt(2) times its column's sum, and 5792 * 4 sqrt(2) < 2^15.
constexpr int kMaxColumnPair = 5792;
// What a JPEG of 8 bits can hold, or it could not be made again: Huffman codes end at 10 bits (11 for differences of DC,
// whatever blocks a scan has side by side).
constexpr int kMaxAc = 1023, kLeastDc = -1024, kMaxDc = 1023;

// The places of a block in scan order.
struct ScanOrder {
  uint8_t place[64] = {};
  constexpr ScanOrder() {
    for (int s = 0; s < 64; ++s) place[s] = uint8_t(placeOfScan(s));
  }
};
constexpr ScanOrder kScanOrder;

static inline int magnitude(int value) { return value < 0 ? -value : value; }

// The AC coefficients of one block, whose scan positions that are not zero `mask` says. False where it has coefficients
// that are too large.
static inline bool packBlock(const int16_t* block, uint64_t mask, const uint16_t* table, PackedSections& to) {
  if (block[0] < kLeastDc || block[0] > kMaxDc) return false;
  int64_t sums[4] = {int64_t(magnitude(block[0])) * table[0], 0, 0, 0};
  unsigned groups = 0;
  mask &= ~uint64_t(1);
  for (unsigned g = 0; g < 8; ++g) {
    const uint8_t bits = uint8_t(mask >> (8 * g));
    if (bits == 0) continue;
    groups |= 1u << g;
    *to.mask++ = bits;
  }
  *to.hdr++ = uint8_t(groups);
  int most = 0;
  for (; mask != 0; mask &= mask - 1) {
    const size_t place = kScanOrder.place[__builtin_ctzll(mask)];
    const int value = block[place], size = magnitude(value);
    most |= size;
    sums[place & 3] += int64_t(size) * table[place];
    const bool narrow = value >= -8 && value <= 7, wide = size > 127;
    *to.values++ = narrow ? uint8_t(value & 15) : 0;
    *to.escapes = wide ? 0x80 : uint8_t(value);
    to.escapes += !narrow;
    *to.wides = int16_t(value);
    to.wides += wide;
  }
  for (const int64_t sum : sums) {
    if (sum > kMaxColumnPair) return false;
  }
  return most <= kMaxAc;  // one less than a power of two
}

static inline bool packBlocks(const int16_t* blocks, size_t n, const uint16_t* table, PackedSections& to) {
  for (size_t i = 0; i < n; ++i, blocks += 64) {
    uint64_t mask;
    scanMasks(blocks, 1, &mask);
    if (!packBlock(blocks, mask, table, to)) return false;
  }
  return true;
}

// Bytes of pairs of values, the lower half first; behind an odd number 0.
static inline void joinNibbles(const uint8_t* values, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; i += 2) out[i / 2] = uint8_t(values[i] | (i + 1 < n ? values[i + 1] << 4 : 0));
}

}  // namespace headrace::scalar
