// Antialiased triangle ("bilinear") resampling as data: which source samples make an output sample, with which weights.
// The filter is Pillow's BILINEAR with antialiasing (support = max(1, scale)); weights are 15-bit fixed point.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace headrace {

// One axis. Source samples lie at integer positions lo .. hi-1 of the image (the clip: samples outside it do not exist);
// the source box [start, start + length) in sample edges maps to `out` output samples, mirrored if asked.
struct AxisSpec {
  double start, length;
  int lo, hi;
  int out;
  bool mirrored;
  bool operator==(const AxisSpec&) const = default;
};

struct Axis {
  int out = 0;
  int maxTaps = 0;              // even
  std::vector<int32_t> first;   // out: first source sample, absolute position
  std::vector<int32_t> taps;    // out: how many samples
  std::vector<int16_t> weights; // out * maxTaps, zero padded; each row sums to 32768 (a single tap holds 32767)

  // Reuses its memory. The spec must have out >= 1, lo < hi, length > 0.
  void build(const AxisSpec& spec);
  int lowest() const;   // smallest source position used
  int highest() const;  // one past the largest
};

// The horizontal pass regrouped for SIMD: four outputs a group, whose sources lie in one 16-byte window if they fit.
struct HorizontalPlan {
  Axis axis;
  AxisSpec spec{};
  int origin = 0;  // source position of element 0 of the rows that the kernel is given
  bool windowed = false;  // every group fits a window; else kernels take each output's samples one by one
  int pairs = 0;          // pairs of taps a group
  std::vector<int32_t> base;     // per group: window start, relative to origin
  std::vector<uint8_t> shuffle;  // per group and pair: 16 bytes, the index of each tap in the window, 0x80 = zero byte
  std::vector<int16_t> pairWeights;  // per group and pair: 8 weights

  // Rebuilds only if something changed. rowBytes: readable samples from origin on, kRowPadding included.
  void build(const AxisSpec& spec, int origin);
};

}  // namespace headrace
