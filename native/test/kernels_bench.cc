// What one 187x187 -> 224x224 RGB crop costs (deinterleave, horizontal, vertical, interleave; one thread, everything in
// cache) with each table, and the plan of its two axes, which a random crop builds anew; and how fast random content is
// made. Least of many runs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "../src/random_content.h"
#include "resize.h"

using namespace headrace;

namespace {

constexpr int kFrom = 187, kTo = 224, kRounds = 400;

template <typename Run>
double leastNanoseconds(Run run) {
  using Clock = std::chrono::steady_clock;
  double least = 1e18;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    for (int i = 0; i < 5; ++i) run();
    least = std::min(least, std::chrono::duration<double, std::nano>(Clock::now() - start).count() / 5);
  }
  return least;
}

}  // namespace

int main() {
  std::vector<uint8_t> rgb(3 * kFrom * kFrom), out(3 * kTo * kTo);
  std::mt19937 random(1);
  for (uint8_t& sample : rgb) sample = uint8_t(random());
  std::vector<float> floats(out.size());
  std::vector<uint16_t> halves(out.size());
  const float scale[3] = {0.017f, 0.0175f, 0.0174f}, bias[3] = {-2.1f, -2.0f, -1.8f};

  Resize resize;
  double length = kFrom;
  const double planTime = leastNanoseconds([&] {
    length = length == kFrom ? kFrom - 0.25 : kFrom;  // or nothing would be rebuilt
    resize.plan({0, length, 0, kFrom, kTo, false}, {0, length, 0, kFrom, kTo, false});
  });
  resize.plan({0, kFrom, 0, kFrom, kTo, false}, {0, kFrom, 0, kFrom, kTo, false});
  std::printf("plan of both axes %.0f ns\n", planTime);

  const Kernels* tables[8];
  const size_t count = availableKernels(tables, 8);
  double scalarTime = 0;
  for (size_t t = 0; t < count; ++t) {
    const Kernels& kernels = *tables[t];
    const double resizeTime = leastNanoseconds([&] { resize.run(kernels, rgb.data(), kFrom, out.data()); });
    const double f32Time = leastNanoseconds([&] { kernels.normalizeF32(out.data(), out.size(), scale, bias, 3, floats.data()); });
    const double f16Time = leastNanoseconds([&] { kernels.normalizeF16(out.data(), out.size(), scale, bias, 3, halves.data()); });
    if (t == 0) scalarTime = resizeTime;
    std::printf("%-7s resize %8.0f ns (%4.1f times scalar)  normalize f32 %7.0f ns  f16 %7.0f ns\n", kernels.name,
                resizeTime, scalarTime / resizeTime, f32Time, f16Time);
  }

  std::vector<uint8_t> content(1 << 20);
  const char* names[] = {"bits", "flags", "float16", "bfloat16", "float32", "float64"};
  for (size_t t = 0; t < count; ++t) {
    std::printf("%-7s random GB/s", tables[t]->name);
    for (size_t type = 0; type < 6; ++type) {
      const RandomContent random{.type = RandomType(type)};
      const double time = leastNanoseconds([&] { random.fill(*tables[t], 0, 0, content); });
      std::printf("  %s %.1f", names[type], double(content.size()) / time);
    }
    std::printf("\n");
  }
}
