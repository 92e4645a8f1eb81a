// Antialiased triangle ("bilinear") resampling as data: which source samples make an output sample, with which weights.
// The filter is Pillow's BILINEAR with antialiasing (support = max(1, scale)); weights are 15-bit fixed point.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"

namespace headrace {

// One axis. Source samples lie at integer positions lo .. hi-1 of the image (the clip: samples outside it do not exist);
// the source box [start, start + length) in sample edges maps to `out` output samples, mirrored if asked.
// Must hold: out >= 1, lo < hi, length > 0, all finite. The box may reach outside the clip: an output whose samples all
// lie outside takes the nearest sample of the clip.
struct AxisSpec {
  double start, length;
  int lo, hi;
  int out;
  bool mirrored;
  bool operator==(const AxisSpec&) const = default;
};

struct Axis {
  int out = 0;
  int maxTaps = 0;               // bound on taps[i] and distance between rows of weights; even
  std::vector<int32_t> first;    // out: first source sample, absolute position
  std::vector<int32_t> taps;     // out: how many samples, at least 1
  std::vector<int16_t> weights;  // out * maxTaps, zero padded; each row sums to 32768 (a single tap holds 32767)

  // Reuses its memory: allocates only for an axis larger than any before.
  void build(const AxisSpec& spec);
  const int16_t* weightsOf(int i) const { return weights.data() + size_t(i) * size_t(maxTaps); }
  int lowest() const;   // smallest source position used
  int highest() const;  // one past the largest
};

// The horizontal pass regrouped for SIMD: four outputs a group, whose sources lie in one 16-byte window if they fit
// (downscales up to about 3); four groups a block.
class HorizontalPlan {
 public:
  // Rebuilds only if something changed. origin: source position of element 0 of the rows that the kernel is given;
  // the rows must be readable up to axis().highest() - origin + kRowPadding.
  void build(const AxisSpec& spec, int origin);
  const Axis& axis() const { return axis_; }
  // For Kernels::horizontal; valid until the next build.
  HorizontalView view() const;

 private:
  void buildWindows();
  void buildDots();

  Axis axis_;
  AxisSpec spec_{};
  int origin_ = 0;
  int pairs_ = 0;
  bool windowed_ = false;
  std::vector<int32_t> first_;         // axis_.first relative to origin_
  std::vector<int32_t> window_;        // 4 a block
  std::vector<uint32_t> shuffle_;      // 16 a block and pair
  std::vector<int16_t> pairWeights_;   // 32 a block and pair
  std::vector<int16_t> dotWeights_;    // axis_.weights in rows of dotStride_, where not windowed
  int dotStride_ = 0;
};

}  // namespace headrace
