#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "pixels.h"

namespace rebuilt {

/**
 * slipstream's resize: stb_image_resize2 on uint8 RGB without the sRGB step. Per axis Mitchell (B = C = 1/3) when
 * shrinking, Catmull-Rom when growing, one tap when the size stays; clamped edges, float32, weights made anew on every
 * call. Equal sizes are copied.
 *
 * Approximated: always horizontal first (stb weighs which order costs less); its buffers are allocated on every call,
 * here they are kept.
 */
class CubicResize {
 public:
  void operator()(const View& source, int width, int height, uint8_t* out) {
    if (source.width == width && source.height == height) return copy(source, out);
    weigh(source.width, width, across_);
    weigh(source.height, height, down_);
    const size_t count = static_cast<size_t>(width) * 3;
    input_.resize(static_cast<size_t>(source.width) * 3 + 1);
    sum_.resize(count);
    // Rows that are filtered across and still wanted by some output row
    const int window = down_.most;
    lines_.resize(static_cast<size_t>(window) * (count + 1));
    int done = 0;
    for (int y = 0; y < height; y++) {
      const int first = down_.first[y], taps = down_.taps[y];
      for (done = std::max(done, first); done < first + taps; done++) filter_row(source.row(done), source.width, line(done, window, count));
      const float* const weights = down_.weights.data() + static_cast<size_t>(y) * down_.most;
      float* const sum = sum_.data();
      std::fill_n(sum, count, 0.5f);  // rounds to nearest below
      int k = 0;
      for (; k + 3 < taps; k += 4) {
        const float *const a = line(first + k, window, count), *const b = line(first + k + 1, window, count);
        const float *const c = line(first + k + 2, window, count), *const d = line(first + k + 3, window, count);
        for (size_t i = 0; i < count; i++)
          sum[i] += weights[k] * a[i] + weights[k + 1] * b[i] + (weights[k + 2] * c[i] + weights[k + 3] * d[i]);
      }
      for (; k < taps; k++) {
        const float* const from = line(first + k, window, count);
        for (size_t i = 0; i < count; i++) sum[i] += weights[k] * from[i];
      }
      uint8_t* const to = out + y * count;
      for (size_t i = 0; i < count; i++) to[i] = static_cast<uint8_t>(static_cast<int>(std::clamp(sum[i], 0.0f, 255.0f)));
    }
  }

 private:
  /** For each output: its first source pixel, how many it takes, and rows of `most` weights that sum to 1. */
  struct Weights {
    int most = 0;
    std::vector<int> first, taps;
    std::vector<float> weights;
  };

  static float mitchell(float x) {
    x = std::fabs(x);
    if (x < 1) return (16 + x * x * (21 * x - 36)) / 18;
    if (x < 2) return (32 + x * (-60 + x * (36 - 7 * x))) / 18;
    return 0;
  }

  static float catmull_rom(float x) {
    x = std::fabs(x);
    if (x < 1) return 1 - x * x * (2.5f - 1.5f * x);
    if (x < 2) return 2 - x * (4 + x * (0.5f * x - 2.5f));
    return 0;
  }

  static void weigh(int from, int to, Weights& w) {
    const float scale = static_cast<float>(to) / static_cast<float>(from);
    const bool shrinks = to < from;
    const float radius = from == to ? 0.5f : shrinks ? 2 / scale : 2.0f;
    w.most = static_cast<int>(std::ceil(2 * radius)) + 1;
    w.first.resize(to);
    w.taps.resize(to);
    w.weights.assign(static_cast<size_t>(to) * w.most, 0);
    for (int d = 0; d < to; d++) {
      float* const row = w.weights.data() + static_cast<size_t>(d) * w.most;
      if (from == to) {
        w.first[d] = d, w.taps[d] = 1, row[0] = 1;
        continue;
      }
      const float center = (static_cast<float>(d) + 0.5f) / scale;
      const int low = static_cast<int>(std::ceil(center - radius - 0.5f)), high = static_cast<int>(std::floor(center + radius - 0.5f));
      const int first = std::clamp(low, 0, from - 1), last = std::clamp(high, 0, from - 1);
      float total = 0;
      for (int s = low; s <= high; s++) {
        const float distance = static_cast<float>(s) + 0.5f - center;
        const float weight = shrinks ? mitchell(distance * scale) : catmull_rom(distance);
        row[std::clamp(s, first, last) - first] += weight;
        total += weight;
      }
      w.first[d] = first;
      w.taps[d] = last - first + 1;
      for (int k = 0; k < w.taps[d]; k++) row[k] /= total;
    }
  }

  float* line(int y, int window, size_t count) { return lines_.data() + static_cast<size_t>(y % window) * (count + 1); }

  void filter_row(const uint8_t* source, int width, float* to) {
    const size_t values = static_cast<size_t>(width) * 3;
    float* const input = input_.data();
    for (size_t i = 0; i < values; i++) input[i] = source[i];
    for (size_t x = 0; x < across_.first.size(); x++) {
      const float* const weights = across_.weights.data() + x * across_.most;
      const float* from = input + static_cast<size_t>(across_.first[x]) * 3;
      store(to + x * 3, across_.taps[x] == 4 ? sum_of<4>(weights, from) : sum_of_many(weights, from, across_.taps[x]));
    }
  }

  template <int taps>
  static Floats4 sum_of(const float* weights, const float* from) {
    Floats4 sum[2] = {};
    for (int k = 0; k < taps; k++) sum[k % 2] += weights[k] * load(from + k * 3);
    return sum[0] + sum[1];
  }

  /** Two sums, so that one addition need not wait for the other. */
  static Floats4 sum_of_many(const float* weights, const float* from, int taps) {
    Floats4 sum[2] = {};
    int k = 0;
    for (; k + 1 < taps; k += 2, from += 6) {
      sum[0] += weights[k] * load(from);
      sum[1] += weights[k + 1] * load(from + 3);
    }
    if (k < taps) sum[0] += weights[k] * load(from);
    return sum[0] + sum[1];
  }

  Weights across_, down_;
  std::vector<float> input_, lines_, sum_;
};

}  // namespace rebuilt
