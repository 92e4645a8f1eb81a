#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "pixels.h"

namespace rebuilt {

/**
 * FFCV's resize: cv::resize(..., INTER_AREA) on uint8 RGB. Where both sides shrink, each output pixel is the mean of
 * the source rectangle under it, border pixels counted by the share that is covered (float sums). Where a side grows,
 * OpenCV falls back to two taps a side at its "area" positions in 11-bit fixed point. Equal sizes are copied.
 *
 * The sums are taken in OpenCV's order: tap by tap into a row of floats, and a source row that two output rows share is
 * summed for each. Approximated: OpenCV has a special path for whole-number ratios, which random boxes hardly meet.
 */
class AreaResize {
 public:
  void operator()(const View& source, int width, int height, uint8_t* out) {
    if (source.width == width && source.height == height) return copy(source, out);
    if (source.width >= width && source.height >= height) shrink(source, width, height, out);
    else stretch(source, width, height, out);
  }

 private:
  struct Share {
    int from, to;
    float weight;
  };

  /** computeResizeAreaTab of OpenCV: which source pixel gives which share to which output pixel. */
  static void shares(int from, int to, std::vector<Share>& table) {
    table.clear();
    const double scale = static_cast<double>(from) / to;
    for (int d = 0; d < to; d++) {
      const double start = d * scale, end = start + scale;
      const double cell = std::min(scale, from - start);
      int first = static_cast<int>(std::ceil(start)), last = static_cast<int>(std::floor(end));
      last = std::min(last, from - 1);
      first = std::min(first, last);
      if (first - start > 1e-3) table.push_back({first - 1, d, static_cast<float>((first - start) / cell)});
      for (int s = first; s < last; s++) table.push_back({s, d, static_cast<float>(1.0 / cell)});
      if (end - last > 1e-3) table.push_back({last, d, static_cast<float>(std::min(std::min(end - last, 1.0), cell) / cell)});
    }
  }

  static void write(const float* sum, size_t count, uint8_t* out) {
    // Sums of uint8 by shares of 1 stay within 0..255; rounded to nearest even as cvRound does.
    for (size_t i = 0; i < count; i++) out[i] = static_cast<uint8_t>(static_cast<int>(std::nearbyint(std::min(sum[i], 255.0f))));
  }

  void shrink(const View& source, int width, int height, uint8_t* out) {
    shares(source.width, width, columns_);
    shares(source.height, height, rows_);
    const size_t count = static_cast<size_t>(width) * 3;
    row_.resize(count);
    sum_.assign(count, 0);
    int current = 0;
    for (const auto& [y, to, weight] : rows_) {
      if (to != current) {
        write(sum_.data(), count, out + current * count);
        std::fill(sum_.begin(), sum_.end(), 0.0f);
        current = to;
      }
      sum_row(source.row(y));
      float* const sum = sum_.data();
      const float* const row = row_.data();
      for (size_t i = 0; i < count; i++) sum[i] += weight * row[i];
    }
    write(sum_.data(), count, out + current * count);
  }

  void sum_row(const uint8_t* source) {
    float* const row = row_.data();
    std::fill(row_.begin(), row_.end(), 0.0f);
    for (const auto& [x, to, weight] : columns_) {
      const float r = row[to * 3] + source[x * 3] * weight;
      const float g = row[to * 3 + 1] + source[x * 3 + 1] * weight;
      const float b = row[to * 3 + 2] + source[x * 3 + 2] * weight;
      row[to * 3] = r;
      row[to * 3 + 1] = g;
      row[to * 3 + 2] = b;
    }
  }

  struct Tap {
    int at, next;
    int32_t near, far;
  };

  static void taps(int from, int to, std::vector<Tap>& table) {
    table.resize(to);
    const double inverse = static_cast<double>(to) / from, scale = 1 / inverse;  // in OpenCV's order of rounding
    for (int d = 0; d < to; d++) {
      int at = static_cast<int>(std::floor(d * scale));
      float share = static_cast<float>((d + 1) - (at + 1) * inverse);
      share = share <= 0 ? 0 : share - std::floor(share);
      if (at >= from - 1) at = from - 1, share = 0;
      table[d] = {at, std::min(at + 1, from - 1), static_cast<int32_t>(std::lrint((1 - share) * 2048)), static_cast<int32_t>(std::lrint(share * 2048))};
    }
  }

  void stretch(const View& source, int width, int height, uint8_t* out) {
    taps(source.width, width, across_);
    taps(source.height, height, down_);
    const size_t count = static_cast<size_t>(width) * 3;
    const size_t values = static_cast<size_t>(source.width) * 3;
    wide_.resize(values + 1);
    for (auto& line : lines_) line.resize(count + 1);
    int held[2] = {-1, -1};
    for (int y = 0; y < height; y++) {
      const auto [at, next, near, far] = down_[y];
      if (held[0] != at && held[1] == at) {
        std::swap(lines_[0], lines_[1]);
        std::swap(held[0], held[1]);
      }
      if (held[0] != at) stretch_row(source.row(at), values, lines_[0].data()), held[0] = at;
      if (held[1] != next) stretch_row(source.row(next), values, lines_[1].data()), held[1] = next;
      mix(lines_[0].data(), lines_[1].data(), near, far, count, out + y * count);
    }
  }

  static void mix(const int32_t* __restrict a, const int32_t* __restrict b, int32_t near, int32_t far, size_t count, uint8_t* __restrict to) {
    for (size_t i = 0; i < count; i++)
      to[i] = static_cast<uint8_t>((((near * (a[i] >> 4)) >> 16) + ((far * (b[i] >> 4)) >> 16) + 2) >> 2);
  }

  void stretch_row(const uint8_t* row, size_t values, int32_t* line) {
    int32_t* const wide = wide_.data();
    for (size_t i = 0; i < values; i++) wide[i] = row[i];
    for (const auto& [at, next, near, far] : across_) {
      store(line, load(wide + at * 3) * near + load(wide + next * 3) * far);
      line += 3;
    }
  }

  std::vector<Share> columns_, rows_;
  std::vector<float> row_, sum_;
  std::vector<Tap> across_, down_;
  std::vector<int32_t> wide_, lines_[2];
};

}  // namespace rebuilt
