// The Huffman decoder. It is the same C++ for every instruction set, but compiled for each: shifts by a variable number
// of bits are one instruction in the newer ones. Everything is static: the linker must not share those copies.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

namespace headrace::scalar {

// Place of each coefficient of the zigzag, row by row.
constexpr uint8_t kZigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                 41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// At least 56 bits: at most seven bytes more, and what of the eighth comes with them is there again the next time.
static inline void fillBits(HuffmanBits& bits) {
  uint64_t bytes;
  memcpy(&bytes, bits.next, sizeof bytes);
  bits.window |= __builtin_bswap64(bytes) >> bits.count;
  bits.next += (63 - bits.count) >> 3;
  bits.count |= 56;
}

// The entry of the code that the window begins with; 0: there is none.
static inline uint32_t findCode(const HuffmanCodes& codes, uint64_t window) {
  const uint32_t entry = codes.lookup[window >> (64 - kHuffmanLookupBits)];
  if (__builtin_expect(entry != 0, 1)) return entry;
  for (int length = kHuffmanLookupBits + 1; length <= 16; ++length) {
    const int32_t code = int32_t(window >> (64 - length));
    if (code < codes.end[length]) return codes.entries[code + codes.offset[length]];
  }
  return 0;
}

// What makes a value of `size` bits with their first bit `first`, which the lower half of values lacks.
struct HuffmanOffsets {
  int32_t of[16][2] = {};
  constexpr HuffmanOffsets() {
    for (int size = 0; size < 16; ++size) of[size][0] = 1 - (1 << size);
  }
};
constexpr HuffmanOffsets kOffsets;

// The value behind a code.
static inline int32_t valueBehind(uint64_t window, uint32_t entry) {
  const uint64_t behind = window << (entry >> 8 & 31);
  const uint32_t size = entry >> 24;
  return int32_t(behind >> 1 >> (63 - size)) + kOffsets.of[size][behind >> 63];
}

static inline void skipCode(HuffmanBits& bits, uint32_t entry) {
  bits.window <<= entry & 63;
  bits.count -= entry & 63;
}

static inline bool huffmanBlock(HuffmanBits& given, const HuffmanCodes& dc, const HuffmanCodes& ac, int32_t& before, int16_t* block) {
  HuffmanBits bits = given;
  fillBits(bits);
  uint32_t entry = findCode(dc, bits.window);
  if (entry == 0 || (entry >> 16 & 127) != 0) return false;
  before += valueBehind(bits.window, entry);
  if (before != int16_t(before)) return false;
  block[0] = int16_t(before);
  skipCode(bits, entry);
  uint32_t k = 1;
  // Two codes to a filling: both have at most 52 bits.
  for (bool filled = false; k < 64; filled = !filled) {
    if (!filled) fillBits(bits);
    entry = findCode(ac, bits.window);
    const int32_t value = valueBehind(bits.window, entry);
    skipCode(bits, entry);
    k += entry >> 16 & 127;
    if (__builtin_expect(entry >> 24 == 0, 0)) {
      // The end of the block, sixteen zeros, or no code.
      if ((entry >> 16 & 127) == kHuffmanEndOfBlock) break;
      if (entry == 0 || k > 63) return false;
      continue;
    }
    if (k > 63) return false;
    block[kZigzag[k++]] = int16_t(value);
  }
  given = bits;
  return true;
}

}  // namespace headrace::scalar
