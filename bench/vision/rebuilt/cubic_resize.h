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
 * Approximated: the vertical pass comes first where the height shrinks (stb estimates which order costs less); stb
 * allocates its buffers on every call, here they are kept.
 */
class CubicResize {
 public:
  void operator()(const View& source, int width, int height, uint8_t* out) {
    if (source.width == width && source.height == height) return copy(source, out);
    weigh(source.width, width, across_);
    weigh(source.height, height, down_);
    const bool down_first = source.height > height;
    const size_t count = static_cast<size_t>(width) * 3, values = static_cast<size_t>(source.width) * 3;
    const size_t length = down_first ? values : count;
    input_.resize(values + 1);
    sum_.resize(std::max(values, count) + 1);
    final_.resize(count + 1);
    // Rows that some output row still wants
    const int window = down_.most;
    lines_.resize(static_cast<size_t>(window) * (length + 1));
    const auto line = [&](int y) { return lines_.data() + static_cast<size_t>(y % window) * (length + 1); };
    for (int y = 0, done = 0; y < height; y++) {
      const int first = down_.first[y], taps = down_.taps[y];
      for (done = std::max(done, first); done < first + taps; done++) {
        float* const input = down_first ? line(done) : input_.data();
        widen(source.row(done), values, input);
        if (!down_first) filter(input, line(done));
      }
      const float* const weights = down_.weights.data() + static_cast<size_t>(y) * down_.most;
      int k = 0;
      for (; k + 3 < taps; k += 4)
        add4(line(first + k), line(first + k + 1), line(first + k + 2), line(first + k + 3), weights + k, k > 0, length, sum_.data());
      for (; k < taps; k++) add(line(first + k), weights[k], k > 0, length, sum_.data());
      if (down_first) filter(sum_.data(), final_.data());
      narrow(down_first ? final_.data() : sum_.data(), count, out + y * count);
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

  static void widen(const uint8_t* __restrict from, size_t count, float* __restrict to) {
    for (size_t i = 0; i < count; i++) to[i] = from[i];
  }

  static void narrow(const float* __restrict from, size_t count, uint8_t* __restrict to) {
    for (size_t i = 0; i < count; i++) to[i] = static_cast<uint8_t>(static_cast<int>(std::clamp(from[i] + 0.5f, 0.0f, 255.0f)));
  }

  static void add(const float* __restrict a, float weight, bool more, size_t count, float* __restrict sum) {
    for (size_t i = 0; i < count; i++) sum[i] = (more ? sum[i] : 0) + weight * a[i];
  }

  static void add4(const float* __restrict a, const float* __restrict b, const float* __restrict c, const float* __restrict d,
                   const float* weights, bool more, size_t count, float* __restrict sum) {
    const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
    for (size_t i = 0; i < count; i++) sum[i] = (more ? sum[i] : 0) + (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
  }

  void filter(const float* input, float* to) const {
    for (size_t x = 0; x < across_.first.size(); x++) {
      const float* const weights = across_.weights.data() + x * across_.most;
      const float* const from = input + static_cast<size_t>(across_.first[x]) * 3;
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
  std::vector<float> input_, lines_, sum_, final_;
};

}  // namespace rebuilt
