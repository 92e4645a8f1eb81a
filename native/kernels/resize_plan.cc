#include "resize_plan.h"

#include <algorithm>
#include <cmath>

namespace headrace {
namespace {

constexpr int kOne = 32768;  // the sum of a row of weights: 1.0 in 15-bit fixed point
constexpr int kWindow = 16;  // bytes that one byte shuffle reaches
constexpr int kGroup = 4;    // outputs of a window: 4 outputs * 2 taps * 16 bits fill 16 bytes
constexpr int kBlock = 16;   // outputs of a 64-byte register
constexpr int kKept = 16;
constexpr int kDotMultiple = 32;  // 16-bit samples of a 64-byte register

// floor(x) limited to lo .. hi; compares first, since a position outside of int must not be converted.
int floorWithin(double x, int lo, int hi) {
  if (!(x > lo)) return lo;
  if (x >= hi) return hi;
  const int truncated = int(x);
  return truncated > x ? truncated - 1 : truncated;
}

}  // namespace

void Axis::build(const AxisSpec& spec) {
  const double scale = spec.length / spec.out;
  const double support = std::max(1.0, scale);
  const double slope = 1 / support;

  out = spec.out;
  // A half-open range of length 2 * support holds at most that many samples, rounded up.
  maxTaps = int(std::min(std::ceil(2 * support), double(spec.hi - spec.lo)));
  maxTaps += maxTaps & 1;
  first.resize(size_t(out));
  taps.resize(size_t(out));
  weights.assign(size_t(out) * size_t(maxTaps), 0);

  for (int i = 0; i < out; ++i) {
    const int at = spec.mirrored ? out - 1 - i : i;
    int16_t* const row = weights.data() + size_t(at) * size_t(maxTaps);
    const double center = spec.start + (i + 0.5) * scale;
    const int begin = floorWithin(center - support + 0.5, spec.lo, spec.hi);
    const int end = floorWithin(center + support + 0.5, spec.lo, spec.hi);
    const auto triangle = [=](int k) { return std::max(0.0, 1 - std::abs((k - center + 0.5) * slope)); };

    // What enlarges has two samples an output, nearly always: the loops below without their turns.
    if (end - begin == 2) {
      const double left = triangle(begin), right = triangle(begin + 1), total = left + right;
      if (total > 0) {
        const int weight = int(left * (kOne / total) + 0.5);
        const bool one = weight == 0 || weight == kOne;
        first[size_t(at)] = weight == 0 ? begin + 1 : begin;
        taps[size_t(at)] = one ? 1 : 2;
        row[0] = int16_t(one ? kOne - 1 : weight);
        row[1] = int16_t(one ? 0 : kOne - weight);
        continue;
      }
    }

    // A mildly shrinking axis has few: each is computed once.
    double values[kKept];
    const bool kept = end - begin <= kKept;
    double total = 0;
    for (int k = begin; k < end; ++k) {
      const double value = triangle(k);
      if (kept) values[k - begin] = value;
      total += value;
    }

    // Rounding the running sum, not each weight, makes the row sum to one exactly. Weights that become zero at either
    // end are dropped.
    int start = begin, count = 0;
    if (total > 0) {
      const double unit = kOne / total;
      double sum = 0;
      int given = 0;
      for (int k = begin; k < end; ++k) {
        sum += kept ? values[k - begin] : triangle(k);
        const int upTo = int(sum * unit + 0.5);
        const int weight = upTo - given;
        given = upTo;
        if (weight == 0) continue;
        if (count == 0) start = k;
        row[k - start] = int16_t(std::min(weight, kOne - 1));  // only a single tap can hold 32768, one too many
        count = k - start + 1;
      }
    } else {
      start = std::clamp(begin, spec.lo, spec.hi - 1);
      row[0] = kOne - 1;
      count = 1;
    }
    first[size_t(at)] = start;
    taps[size_t(at)] = count;
  }
}

int Axis::lowest() const { return *std::min_element(first.begin(), first.end()); }

int Axis::highest() const {
  int highest = first[0] + taps[0];
  for (size_t i = 1; i < first.size(); ++i) highest = std::max(highest, first[i] + taps[i]);
  return highest;
}

void HorizontalPlan::build(const AxisSpec& spec, int origin) {
  if (spec == spec_ && origin == origin_) return;
  spec_ = spec;
  origin_ = origin;
  axis_.build(spec);

  const size_t out = size_t(axis_.out);
  first_.resize(out);
  for (size_t i = 0; i < out; ++i) first_[i] = axis_.first[i] - origin;

  const size_t groups = (out + kBlock - 1) / kBlock * (kBlock / kGroup);
  window_.resize(groups);
  windowed_ = true;
  int mostTaps = 1;
  for (size_t group = 0; group < groups; ++group) {
    // The groups of padding read where the last output does.
    const size_t from = std::min(group * kGroup, out - 1);
    const size_t to = std::max(from + 1, std::min((group + 1) * kGroup, out));
    int low = first_[from], high = low;
    for (size_t i = from; i < to; ++i) {
      low = std::min(low, first_[i]);
      high = std::max(high, first_[i] + axis_.taps[i]);
      mostTaps = std::max(mostTaps, axis_.taps[i]);
    }
    window_[group] = low;
    windowed_ = windowed_ && high - low <= kWindow;
  }
  pairs_ = (mostTaps + 1) / 2;
  if (windowed_) {
    buildWindows();
  } else {
    buildDots();
  }
}

void HorizontalPlan::buildWindows() {
  const size_t out = size_t(axis_.out), pairs = size_t(pairs_);
  const size_t padded = window_.size() * kGroup;
  shuffle_.resize(padded * pairs);
  pairWeights_.resize(padded * pairs * 2);
  for (size_t i = 0; i < padded; ++i) {
    const int taps = i < out ? axis_.taps[i] : 0;
    const int shift = i < out ? first_[i] - window_[i / kGroup] : 0;
    const int16_t* weights = axis_.weightsOf(int(std::min(i, out - 1)));
    // Control bytes in memory order: sample, zero, next sample, zero. 0x80 makes a zero byte.
    const auto control = [=](int tap) { return tap < taps ? 0x8000u | uint32_t(shift + tap) : 0x8080u; };
    for (size_t pair = 0; pair < pairs; ++pair) {
      const size_t at = (i / kBlock * pairs + pair) * kBlock + i % kBlock;
      const int tap = int(pair) * 2;
      shuffle_[at] = control(tap) | control(tap + 1) << 16;
      pairWeights_[2 * at] = tap < taps ? weights[tap] : int16_t(0);
      pairWeights_[2 * at + 1] = tap + 1 < taps ? weights[tap + 1] : int16_t(0);
    }
  }
}

void HorizontalPlan::buildDots() {
  dotStride_ = (axis_.maxTaps + kDotMultiple - 1) / kDotMultiple * kDotMultiple;
  dotWeights_.assign(size_t(axis_.out) * size_t(dotStride_), 0);
  for (int i = 0; i < axis_.out; ++i) {
    std::copy_n(axis_.weightsOf(i), axis_.taps[size_t(i)], dotWeights_.data() + size_t(i) * size_t(dotStride_));
  }
}

HorizontalView HorizontalPlan::view() const {
  return {
      .out = axis_.out,
      .first = first_.data(),
      .taps = axis_.taps.data(),
      .weights = windowed_ ? axis_.weights.data() : dotWeights_.data(),
      .weightStride = windowed_ ? axis_.maxTaps : dotStride_,
      .windowed = windowed_,
      .blocks = int32_t(window_.size() / (kBlock / kGroup)),
      .pairs = pairs_,
      .window = window_.data(),
      .shuffle = shuffle_.data(),
      .pairWeights = pairWeights_.data(),
  };
}

}  // namespace headrace
