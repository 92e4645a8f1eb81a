// Packed coefficients to samples in plain C++: the reference that every SIMD version is tested against, bit for bit.
// Everything is static: this is compiled once per instruction set, and the linker must not share those copies.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"
#include "scalar.h"

namespace headrace::scalar {

// Where a scan position lies in a block: quadrants of 4 x 4, so that blocks of low frequencies touch few groups.
static constexpr int placeOfScan(int s) {
  const int quadrant = s >> 4, row = (s >> 2) & 3, column = s & 3;
  return (row + 4 * (quadrant >> 1)) * 8 + column + 4 * (quadrant & 1);
}

static inline uint32_t bitsIn(uint32_t byte) { return uint32_t(__builtin_popcount(byte)); }

static inline uint32_t countBits(const uint8_t* bytes, size_t n) {
  uint64_t sum = 0, word = 0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    memcpy(&word, bytes + i, 8);
    sum += uint64_t(__builtin_popcountll(word));
  }
  if (i < n) {
    word = 0;
    memcpy(&word, bytes + i, n - i);
    sum += uint64_t(__builtin_popcountll(word));
  }
  return uint32_t(sum);
}

static inline uint8_t nibbleAt(const uint8_t* nibbles, size_t i) { return uint8_t(nibbles[i / 2] >> (i % 2 * 4) & 15); }

static inline uint32_t countEscapes(const uint8_t* nibbles, size_t n) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; ++i) count += nibbleAt(nibbles, i) == 0;
  return count;
}

static inline uint32_t countWide(const uint8_t* bytes, size_t n) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; ++i) count += bytes[i] == 0x80;
  return count;
}

// int16 at place `i` of a WIDE section, which need not be aligned.
static inline int16_t wideAt(const uint8_t* wides, size_t i) {
  int16_t value;
  memcpy(&value, wides + 2 * i, sizeof value);
  return value;
}

// One dimension of the inverse DCT over x[0], x[step], ...: jidctint.c of the Independent JPEG Group. Sums of two are
// kept in 16 bits and all else in 32, as SIMD code has them, so that even what overflows is the same everywhere.
static inline void inverseDct(int32_t* x, int step, int shift) {
  const auto at = [&](int i) { return uint32_t(x[i * step]); };
  const auto narrow = [](uint32_t sum) { return uint32_t(int32_t(int16_t(uint16_t(sum)))); };
  const uint32_t x1 = at(1), x2 = at(2), x3 = at(3), x5 = at(5), x6 = at(6), x7 = at(7);
  const uint32_t z1 = (x2 + x6) * 4433, t2 = z1 - x6 * 15137, t3 = z1 + x2 * 6270;
  const uint32_t t0 = narrow(at(0) + at(4)) * 8192, t1 = narrow(at(0) - at(4)) * 8192;
  const uint32_t p0 = t0 + t3, p3 = t0 - t3, p1 = t1 + t2, p2 = t1 - t2;
  const uint32_t s3 = narrow(x7 + x3), s4 = narrow(x5 + x1);
  const uint32_t z5 = (s3 + s4) * 9633, z3 = z5 - s3 * 16069, z4 = z5 - s4 * 3196;
  const uint32_t outer = (x7 + x1) * 7373, inner = (x5 + x3) * 20995;
  const uint32_t y0 = x7 * 2446 - outer + z3, y1 = x5 * 16819 - inner + z4;
  const uint32_t y2 = x3 * 25172 - inner + z3, y3 = x1 * 12299 - outer + z4;
  const auto put = [&](int i, uint32_t value) {
    x[i * step] = clampTo(int32_t(value + (1u << (shift - 1))) >> shift, INT16_MIN, INT16_MAX);
  };
  put(0, p0 + y3), put(7, p0 - y3), put(1, p1 + y2), put(6, p1 - y2);
  put(2, p2 + y1), put(5, p2 - y1), put(3, p3 + y0), put(4, p3 - y0);
}

// Coefficients of one block (row by row, not yet dequantised) to 8 rows of 8 samples.
static inline void blockToSamples(const int16_t* block, const uint16_t* table, uint8_t* out, size_t stride) {
  int32_t x[64];
  for (int i = 0; i < 64; ++i) x[i] = int16_t(uint16_t(uint32_t(uint16_t(block[i])) * table[i]));
  for (int column = 0; column < 8; ++column) inverseDct(x + column, 8, 11);
  for (int row = 0; row < 8; ++row) inverseDct(x + 8 * row, 1, 18);
  for (int row = 0; row < 8; ++row) {
    uint8_t* samples = out + size_t(row) * stride;
    for (int column = 0; column < 8; ++column) samples[column] = uint8_t(clampTo(x[8 * row + column] + 128, 0, 255));
  }
}

// Bit s of masks[i]: whether scan position s of block i is not zero.
static inline void scanMasks(const int16_t* blocks, size_t n, uint64_t* masks) {
  for (size_t i = 0; i < n; ++i, blocks += 64) {
    masks[i] = 0;
    for (int s = 0; s < 64; ++s) masks[i] |= uint64_t(blocks[placeOfScan(s)] != 0) << s;
  }
}

// Where the blocks from `first` on begin in each section.
struct StripCursor {
  const uint8_t* mask;
  uint32_t value, values;    // the first of its values, and how many the blocks have
  uint32_t escape;           // the first of its escapes
  uint32_t wideDc, wideAc;   // the first of its wide values
  int32_t dc;                // DC of the block before, modulo 2^16
};

// Finds blocks [first, last).
template <typename CountEscapes>
static inline void enterStrip(const PackedStrip& strip, uint32_t first, uint32_t last, CountEscapes count, StripCursor& at) {
  const uint32_t before = countBits(strip.hdr, first), within = countBits(strip.hdr + first, last - first);
  at.mask = strip.mask + before;
  at.value = countBits(strip.mask, before);
  at.values = countBits(at.mask, within);
  at.escape = at.value == 0 ? 0 : count(strip.nibbles, at.value);
  at.wideDc = at.wideAc = 0;
  at.dc = 0;
  if (strip.wideCount == 0) {
    for (uint32_t i = 0; i < first; ++i) at.dc += int8_t(strip.dc[i]);
    return;
  }
  at.wideAc = countWide(strip.dc, strip.blocks) + countWide(strip.escapes, at.escape);
  for (uint32_t i = 0; i < first; ++i) {
    at.dc += strip.dc[i] != 0x80 ? int8_t(strip.dc[i]) : wideAt(strip.wides, at.wideDc++);
  }
}

// The next block's coefficients, row by row; false where the mask has a bit for DC.
static inline bool nextBlock(const PackedStrip& strip, uint32_t block, StripCursor& at, int16_t* coefficients) {
  for (int i = 0; i < 64; ++i) coefficients[i] = 0;
  at.dc += strip.dc[block] != 0x80 ? int8_t(strip.dc[block]) : wideAt(strip.wides, at.wideDc++);
  coefficients[0] = int16_t(uint16_t(at.dc));
  for (int group = 0; group < 8; ++group) {
    if (!(strip.hdr[block] >> group & 1)) continue;
    const uint8_t mask = *at.mask++;
    if (group == 0 && (mask & 1)) return false;
    for (int bit = 0; bit < 8; ++bit) {
      if (!(mask >> bit & 1)) continue;
      int value = nibbleAt(strip.nibbles, at.value++);
      value = value < 8 ? value : value - 16;
      if (value == 0) value = int8_t(strip.escapes[at.escape++]);
      if (value == -128) value = wideAt(strip.wides, at.wideAc++);
      coefficients[placeOfScan(8 * group + bit)] = int16_t(value);
    }
  }
  return true;
}

static inline bool decodeStrip(const PackedStrip& strip, uint32_t first, uint32_t last, const uint16_t* table, int8_t*,
                               uint8_t* out, size_t stride) {
  StripCursor at;
  enterStrip(strip, first, last, countEscapes, at);
  for (uint32_t block = first; block < last; ++block, out += 8) {
    int16_t coefficients[64];
    if (!nextBlock(strip, block, at, coefficients)) return false;
    blockToSamples(coefficients, table, out, stride);
  }
  return true;
}

// All blocks of a strip as they were packed, 64 coefficients each.
static inline bool unpackStrip(const PackedStrip& strip, int16_t* blocks) {
  StripCursor at;
  enterStrip(strip, 0, strip.blocks, countEscapes, at);
  for (uint32_t block = 0; block < strip.blocks; ++block) {
    if (!nextBlock(strip, block, at, blocks + 64 * block)) return false;
  }
  return true;
}

// ---- upsampling and colour, as libjpeg-turbo's jdsample.c and jdcolor.c

static inline void upsample2x1(const uint8_t* in, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) {
    const int middle = 3 * in[i];
    out[2 * i] = uint8_t((middle + in[ptrdiff_t(i) - 1] + 1) >> 2);
    out[2 * i + 1] = uint8_t((middle + in[i + 1] + 2) >> 2);
  }
}

static inline void upsample1x2(const uint8_t* near, const uint8_t* far, int bias, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = uint8_t((3 * near[i] + far[i] + bias) >> 2);
}

static inline void upsample2x2(const uint8_t* near, const uint8_t* far, size_t n, uint8_t* out) {
  const auto sum = [&](ptrdiff_t i) { return 3 * near[i] + far[i]; };
  for (ptrdiff_t i = 0; i < ptrdiff_t(n); ++i) {
    out[2 * i] = uint8_t((3 * sum(i) + sum(i - 1) + 8) >> 4);
    out[2 * i + 1] = uint8_t((3 * sum(i) + sum(i + 1) + 7) >> 4);
  }
}

static inline void toRgb(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t n, uint8_t* r, uint8_t* g, uint8_t* b) {
  for (size_t i = 0; i < n; ++i) {
    const int blue = cb[i] - 128, red = cr[i] - 128;
    r[i] = uint8_t(clampTo(y[i] + ((91881 * red + 32768) >> 16), 0, 255));
    g[i] = uint8_t(clampTo(y[i] + ((-22554 * blue - 46802 * red + 32768) >> 16), 0, 255));
    b[i] = uint8_t(clampTo(y[i] + ((116130 * blue + 32768) >> 16), 0, 255));
  }
}

static inline void upsample2x2ToRgb(const uint8_t* const (&y)[2], const uint8_t* const (&cb)[2], const uint8_t* const (&cr)[2],
                                    size_t n, uint8_t* const (&rgb)[2][3]) {
  for (size_t k = 0; k < 2; ++k) {
    for (size_t i = 0; i < n; ++i) {
      uint8_t blue[2], red[2];
      upsample2x2(cb[k] + i, cb[1 - k] + i, 1, blue);
      upsample2x2(cr[k] + i, cr[1 - k] + i, 1, red);
      toRgb(y[k] + 2 * i, blue, red, 2, rgb[k][0] + 2 * i, rgb[k][1] + 2 * i, rgb[k][2] + 2 * i);
    }
  }
}

}  // namespace headrace::scalar
