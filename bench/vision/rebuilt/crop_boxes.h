#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace rebuilt {

struct Box {
  int x, y, width, height;
};

/** splitmix64: small and seeded, so that every run decodes the same boxes. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  double uniform() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  int below(int n) { return std::min(n - 1, static_cast<int>(uniform() * n)); }

 private:
  uint64_t state_;
};

/** torchvision's RandomResizedCrop, which FFCV follows; slipstream places its boxes by another law, of the same sizes. */
inline Box random_resized_crop(Random& random, int width, int height) {
  const double low = std::log(3.0 / 4), high = std::log(4.0 / 3);
  for (int attempt = 0; attempt < 10; attempt++) {
    const double area = width * static_cast<double>(height) * (0.08 + 0.92 * random.uniform());
    const double ratio = std::exp(low + (high - low) * random.uniform());
    const int w = static_cast<int>(std::lround(std::sqrt(area * ratio)));
    const int h = static_cast<int>(std::lround(std::sqrt(area / ratio)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return {random.below(width - w + 1), random.below(height - h + 1), w, h};
  }
  const double ratio = static_cast<double>(width) / height;
  const int w = ratio > 4.0 / 3 ? static_cast<int>(std::lround(height * 4.0 / 3)) : width;
  const int h = ratio < 3.0 / 4 ? static_cast<int>(std::lround(width * 4.0 / 3)) : height;
  return {(width - w) / 2, (height - h) / 2, w, h};
}

inline Box center_square(int side, int width, int height) { return {(width - side) / 2, (height - side) / 2, side, side}; }

}  // namespace rebuilt
