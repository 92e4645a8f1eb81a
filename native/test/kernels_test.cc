// What each kernel computes: SIMD against scalar bit for bit, scalar against the definition.
#include <cmath>
#include <limits>

#include "../kernels/resize_plan.h"
#include "cases.h"

using namespace headrace;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Normalisations worth a test: ImageNet's, into the subnormals of float16, past its largest, ties, negative zero.
struct Normalization {
  float scale[3], bias[3];
};
const Normalization kNormalizations[] = {
    {{0.0171247538f, 0.0175070028f, 0.0174291939f}, {-2.11790393f, -2.03571429f, -1.80444444f}},
    {{1.0f / 255, 1.0f / 255, 1.0f / 255}, {0, 0, 0}},
    {{1e-7f, 2.3841858e-7f, 2.9802322e-8f}, {0, -3e-6f, 5.9604645e-8f}},
    {{4e-9f, 1.1920929e-7f, -2.9802322e-8f}, {0, 6.1e-5f, 0}},
    {{300, 257, -513}, {0.5f, 7, -3}},
    {{1e36f, -1e38f, 0}, {0, 0, kInfinity}},
    {{0.5f, 8.0078125f, 1.00048828125f}, {2048, 1024, 0}},
    {{-1, 1e-44f, 3e-39f}, {0, 0, 0}},
};

// ---- float16 from its definition

double halfValue(unsigned bits) {  // of a finite, positive half; that of infinity reads 65536, the next power of two
  const int exponent = int(bits >> 10), mantissa = int(bits & 0x3ff);
  return exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
}

// The nearest of all halves, the even one of two equally near.
uint16_t nearestHalf(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(double(value));
  unsigned low = 0, high = 0x7c00;
  if (magnitude >= 65536) return uint16_t(sign | high);
  while (high - low > 1) {
    const unsigned middle = (low + high) / 2;
    (halfValue(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - halfValue(low), above = halfValue(high) - magnitude;
  const bool up = above < below || (above == below && (low & 1));
  return uint16_t(sign | (up ? high : low));
}

float normalized(uint8_t sample, float scale, float bias) {
  volatile float product = float(sample) * scale;  // volatile: no fused multiply-add, whatever the flags
  volatile float sum = product + bias;
  return sum;
}

template <typename T>
bool sameBits(const T* a, const T* b, size_t n) {
  return std::memcmp(a, b, n * sizeof(T)) == 0;
}

// ---- cases

const Case interleaving("interleave and deinterleave equal scalar for 0..200 pixels", [](Check& check) {
  std::mt19937 random(1);
  for (const Kernels* kernels : simdTables()) {
    for (size_t n = 0; n <= 200; ++n) {
      const auto rgb = randomBytes(3 * n, random);
      std::vector<uint8_t> planes[2][3], back(3 * n);
      for (auto& set : planes) {
        for (auto& plane : set) plane.resize(n);
      }
      kScalarKernels.deinterleave(rgb.data(), n, planes[0][0].data(), planes[0][1].data(), planes[0][2].data());
      kernels->deinterleave(rgb.data(), n, planes[1][0].data(), planes[1][1].data(), planes[1][2].data());
      for (int c = 0; c < 3; ++c) check.that(planes[0][c] == planes[1][c], "%s n=%zu channel %d", kernels->name, n, c);
      kernels->interleave(planes[0][0].data(), planes[0][1].data(), planes[0][2].data(), n, back.data());
      check.that(back == rgb, "%s n=%zu does not come back", kernels->name, n);
    }
  }
});

const Case scalarInterleaving("scalar deinterleave takes every third byte", [](Check& check) {
  const uint8_t rgb[6] = {1, 2, 3, 4, 5, 6};
  uint8_t r[2], g[2], b[2];
  kScalarKernels.deinterleave(rgb, 2, r, g, b);
  check.that(r[0] == 1 && r[1] == 4 && g[0] == 2 && g[1] == 5 && b[0] == 3 && b[1] == 6, "wrong order");
});

const Case reversing("reverse is byte reversal for 0..200 samples", [](Check& check) {
  std::mt19937 random(2);
  for (const Kernels* kernels : allTables()) {
    for (size_t n = 0; n <= 200; ++n) {
      const auto in = randomBytes(n, random);
      std::vector<uint8_t> out(n);
      kernels->reverse(in.data(), n, out.data());
      check.that(out == std::vector<uint8_t>(in.rbegin(), in.rend()), "%s n=%zu", kernels->name, n);
    }
  }
});

const Case verticals("vertical equals scalar for 1..40 rows of any 16-bit samples", [](Check& check) {
  std::mt19937 random(3);
  for (const Kernels* kernels : simdTables()) {
    for (size_t taps = 1; taps <= 40; ++taps) {
      const size_t n = 1 + random() % 200;
      std::vector<std::vector<int16_t>> rows(taps, std::vector<int16_t>(roundUp(n)));
      std::vector<const int16_t*> pointers;
      std::vector<int16_t> weights(taps);
      const bool wild = taps % 3 == 0;  // sums that saturate on the way and clamp at the end
      for (size_t tap = 0; tap < taps; ++tap) {
        for (int16_t& sample : rows[tap]) sample = wild ? int16_t(random()) : int16_t(random() % 32641);
        weights[tap] = int16_t(taps <= kMaxNarrowTaps && wild ? random() % 32768 : random() % (32768 / taps));
        pointers.push_back(rows[tap].data());
      }
      std::vector<uint8_t> expected(roundUp(n)), out(roundUp(n));
      kScalarKernels.vertical(pointers.data(), weights.data(), taps, n, expected.data());
      kernels->vertical(pointers.data(), weights.data(), taps, n, out.data());
      check.that(sameBits(expected.data(), out.data(), n), "%s taps=%zu n=%zu", kernels->name, taps, n);
    }
  }
});

const Case normalizing("normalizeF32 is two rounded operations, every table, value, channel and length", [](Check& check) {
  std::mt19937 random(4);
  for (const Kernels* kernels : allTables()) {
    for (const Normalization& by : kNormalizations) {
      for (size_t channels : {1, 3}) {
        for (size_t n = 0; n <= 260; n += n < 150 ? 1 : 5) {
          const auto in = randomBytes(n, random);
          std::vector<float> out(n);
          kernels->normalizeF32(in.data(), n, by.scale, by.bias, channels, out.data());
          for (size_t i = 0; i < n; ++i) {
            const float expected = normalized(in[i], by.scale[i % channels], by.bias[i % channels]);
            check.that(sameBits(&expected, &out[i], 1), "%s channels=%zu n=%zu i=%zu: %g, not %g", kernels->name, channels,
                       n, i, double(out[i]), double(expected));
          }
        }
      }
    }
  }
});

const Case halving("normalizeF16 is the nearest half, ties to even, for all 256 values and subnormals", [](Check& check) {
  std::vector<uint8_t> in(3 * 256 + 2);
  for (size_t i = 0; i < in.size(); ++i) in[i] = uint8_t(i / 3);
  std::vector<uint16_t> out(in.size());
  for (const Kernels* kernels : allTables()) {
    for (const Normalization& by : kNormalizations) {
      for (size_t channels : {1, 3}) {
        kernels->normalizeF16(in.data(), in.size(), by.scale, by.bias, channels, out.data());
        for (size_t i = 0; i < in.size(); ++i) {
          const float value = normalized(in[i], by.scale[i % channels], by.bias[i % channels]);
          const uint16_t expected = nearestHalf(value);
          check.that(out[i] == expected, "%s %g: %04x, not %04x", kernels->name, double(value), out[i], expected);
        }
      }
    }
  }
});

const Case everyHalf("normalizeF16 gives every half back, and rounds the ties between them to even", [](Check& check) {
  const std::vector<uint8_t> ones(64, 1);
  std::vector<uint16_t> out(ones.size());
  for (const Kernels* kernels : allTables()) {
    for (unsigned bits = 0; bits < 0x7c00; ++bits) {
      const float value = float(halfValue(bits)), tie = float((halfValue(bits) + halfValue(bits + 1)) / 2);
      const float scale[3] = {value, tie, -tie}, bias[3] = {0, 0, -0.0f};
      kernels->normalizeF16(ones.data(), 51, scale, bias, 3, out.data());  // 51: whole registers and a rest
      const unsigned even = bits & 1 ? bits + 1 : bits;
      for (size_t i = 0; i < 51; i += 3) {
        check.that(out[i] == bits && out[i + 1] == even && out[i + 2] == (0x8000 | even), "%s %04x: %04x %04x %04x",
                   kernels->name, bits, out[i], out[i + 1], out[i + 2]);
      }
    }
  }
});

const Case choosing("chooseKernels takes the widest, the named one, or says why not", [](Check& check) {
  const Kernels* tables[8];
  const size_t count = availableKernels(tables, 8);
  const char* error = nullptr;
  check.that(chooseKernels(nullptr, &error) == tables[count - 1], "null is not the widest");
  check.that(chooseKernels("", &error) == tables[count - 1], "empty is not the widest");
  for (size_t i = 0; i < count; ++i) {
    check.that(chooseKernels(tables[i]->name, &error) == tables[i], "%s is not itself", tables[i]->name);
  }
  check.that(error == nullptr, "an error without a reason: %s", error);
  check.that(chooseKernels("AVX2", &error) == nullptr && error != nullptr, "an unknown name is taken");
  check.that(error && std::strstr(error, "must be"), "unknown name: %s", error);
#if defined(__x86_64__)
  const char* foreign = "neon";
#else
  const char* foreign = "avx2";
#endif
  check.that(chooseKernels(foreign, &error) == nullptr, "%s is available", foreign);
  check.that(error && std::strstr(error, "lacks"), "foreign name: %s", error);
  check.that(availableKernels(tables, 1) == 1 && tables[0] == &kScalarKernels, "capacity is not kept");
  check.note("%zu tables, widest %s", count, chooseKernels(nullptr, &error)->name);
});

}  // namespace
