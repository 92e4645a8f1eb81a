// Pixel kernels: one table of functions per instruction set. Every table writes the same bytes as the scalar one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {

// Bytes that must be readable behind the last sample of every row given to a kernel (contents do not matter).
inline constexpr size_t kRowPadding = 64;
// Rows written by kernels may be overwritten up to the next multiple of this many elements.
inline constexpr size_t kRowAlign = 32;

// How one output row is gathered from one source row; built by makeHorizontal (resize_plan.h).
struct HorizontalPlan;

struct Kernels {
  const char* name;  // "scalar" "sse4" "avx2" "avx512" "neon"

  // RGB pixels (3n bytes) to three planes of n bytes, and back.
  void (*deinterleave)(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b);
  void (*interleave)(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* rgb);

  // The horizontal pass of a resize over `planes` (1 or 3) rows: out[k * outStride + i] is the weighted sum of the
  // source samples in 1/128 units (8-bit value << 7), rounded. outStride is a multiple of kRowAlign.
  void (*horizontal)(const HorizontalPlan& plan, const uint8_t* const* rows, size_t planes, int16_t* out, size_t outStride);

  // The vertical pass: the weighted sum of `taps` rows of n samples in 1/128 units, rounded and clamped to 8 bits.
  // weights are 1/32768 units; the sum saturates at 16 bits in tap order.
  void (*vertical)(const int16_t* const* rows, const int16_t* weights, size_t taps, size_t n, uint8_t* out);

  // out[i] = float32(float32(in[i] * scale[c]) + bias[c]), two roundings, never fused; c = i % channels.
  // channels is 1 (a plane) or 3 (interleaved); n counts samples, not pixels.
  void (*normalizeF32)(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, float* out);
  // The same, then rounded to IEEE half precision, ties to even, overflow to infinity.
  void (*normalizeF16)(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, uint16_t* out);

  // out[i] = in[n - 1 - i] over samples of one plane.
  void (*reverse)(const uint8_t* in, size_t n, uint8_t* out);
};

extern const Kernels kScalarKernels;

// The table in use: the widest the processor has, or the one HEADRACE_SIMD names (scalar|sse4|avx2|avx512|neon).
// Null with a message in *error where HEADRACE_SIMD names one that is unknown or not available.
const Kernels* chooseKernels(const char* forced, const char** error);

// Every table this build has and this processor can run, widest last; fills up to `capacity`, returns the count.
size_t availableKernels(const Kernels** out, size_t capacity);

}  // namespace headrace
