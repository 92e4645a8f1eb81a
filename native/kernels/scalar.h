// The kernels in plain C++: the reference that every SIMD table is tested against, and the ends of its rows.
// Everything is static: this is compiled once per instruction set, and the linker must not share those copies.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

namespace headrace::scalar {

static inline void deinterleave(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b) {
  for (size_t i = 0; i < n; ++i) {
    r[i] = rgb[3 * i];
    g[i] = rgb[3 * i + 1];
    b[i] = rgb[3 * i + 2];
  }
}

static inline void interleave(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* rgb) {
  for (size_t i = 0; i < n; ++i) {
    rgb[3 * i] = r[i];
    rgb[3 * i + 1] = g[i];
    rgb[3 * i + 2] = b[i];
  }
}

static inline void stream(const uint8_t* in, size_t n, uint8_t* out) { memcpy(out, in, n); }
static inline void settle() {}

// A weighted sum in 1/32768 * 8 bits, to 1/128: at most (255 * 32768 + 128) >> 8 = 32640, so it fits 16 bits.
static inline int16_t toSample(int32_t sum) { return int16_t((sum + 128) >> 8); }

static inline void horizontal(const HorizontalView& view, const uint8_t* const* rows, size_t planes, int16_t* out,
                              size_t outStride) {
  for (size_t plane = 0; plane < planes; ++plane) {
    for (int32_t i = 0; i < view.out; ++i) {
      const uint8_t* source = rows[plane] + view.first[i];
      const int16_t* weights = view.weights + size_t(i) * size_t(view.weightStride);
      int32_t sum = 0;
      for (int32_t tap = 0; tap < view.taps[i]; ++tap) sum += source[tap] * weights[tap];
      out[plane * outStride + size_t(i)] = toSample(sum);
    }
  }
}

static inline int32_t clampTo(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

static inline void vertical(const int16_t* const* rows, const int16_t* weights, size_t taps, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) {
    int32_t value;
    if (taps <= kMaxNarrowTaps) {
      int32_t sum = 64;
      for (size_t tap = 0; tap < taps; ++tap) {
        const int32_t product = (rows[tap][i] * weights[tap] + 0x4000) >> 15;
        sum = clampTo(sum + product, INT16_MIN, INT16_MAX);
      }
      value = sum >> 7;
    } else {
      int32_t sum = 1 << 21;
      for (size_t tap = 0; tap < taps; ++tap) sum += rows[tap][i] * weights[tap];
      value = sum >> 22;
    }
    out[i] = uint8_t(clampTo(value, 0, 255));
  }
}

// IEEE binary32 to binary16, ties to even, as F16C and NEON do it.
static inline uint16_t toHalf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return uint16_t(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));  // NaN, made quiet
  if (magnitude >= 0x477ff000) return uint16_t(sign | 0x7c00);  // 65520, half way past the largest half, and above
  if (magnitude >= 0x38800000) {                                // 2^-14, the smallest normal half, and above
    const uint32_t rebased = magnitude - (uint32_t(127 - 15) << 23);
    return uint16_t(sign | ((rebased + 0xfff + (rebased >> 13 & 1)) >> 13));
  }
  if (magnitude <= 0x33000000) return uint16_t(sign);  // 2^-25, half the smallest subnormal (a tie, to zero), and below
  const uint32_t shift = 126 - (magnitude >> 23);      // 14 .. 24: units become 2^-24
  const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
  const uint32_t kept = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1), tie = 1u << (shift - 1);
  return uint16_t(sign | (kept + (rest > tie || (rest == tie && (kept & 1)))));
}

// Samples begin .. n-1 only.
static inline void normalizeF32From(size_t begin, const uint8_t* in, size_t n, const float* scale, const float* bias,
                                    size_t channels, float* out) {
  for (size_t i = begin, c = begin % channels; i < n; ++i, c = c + 1 == channels ? 0 : c + 1) {
    const float product = float(in[i]) * scale[c];
    out[i] = product + bias[c];
  }
}

static inline void normalizeF16From(size_t begin, const uint8_t* in, size_t n, const float* scale, const float* bias,
                                    size_t channels, uint16_t* out) {
  for (size_t i = begin, c = begin % channels; i < n; ++i, c = c + 1 == channels ? 0 : c + 1) {
    const float product = float(in[i]) * scale[c];
    out[i] = toHalf(product + bias[c]);
  }
}

static inline void reverse(const uint8_t* in, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = in[n - 1 - i];
}

}  // namespace headrace::scalar
