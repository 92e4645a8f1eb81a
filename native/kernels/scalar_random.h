// Random content. A word is its number in the stream, scrambled under a key of three words by multiplications and shifts
// (the scheme of Wellons' "lowbias32"): no state, so every word stands for itself, and any instruction set that
// multiplies 32-bit lanes makes many at once. Not for secrets.
//
// Elements in [0, 1) are random bits put where the significand is: every step is exact, hence the same everywhere. The
// loops over elements are left to the compiler, which makes them as wide as each file's instruction set.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

namespace headrace::scalar {

constexpr uint32_t kRandomStep = 0x9e3779b1, kRandomFirst = 0x7feb352d, kRandomSecond = 0x846ca68b;

static inline uint32_t randomWord(const uint32_t* key, uint32_t number) {
  uint32_t word = number * kRandomStep + key[0];
  word ^= word >> 16;
  word *= kRandomFirst;
  word ^= word >> 15;
  word += key[1];
  word *= kRandomSecond;
  word ^= word >> 16;
  return word ^ key[2];
}

static inline void randomWordsFrom(size_t i, const uint32_t* key, uint32_t first, size_t n, uint8_t* out) {
  for (; i < n; ++i) {
    const uint32_t word = randomWord(key, first + uint32_t(i));
    memcpy(out + 4 * i, &word, 4);
  }
}

static inline void randomWords(const uint32_t* key, uint32_t first, size_t n, uint8_t* out) {
  randomWordsFrom(0, key, first, n, out);
}

// The bits of number / 2^bits, of so many bits, as float32.
static inline uint32_t shareBits(uint32_t number, int bits) {
  const float share = float(int32_t(number)) * (1.0f / float(1 << bits));
  uint32_t image;
  memcpy(&image, &share, 4);
  return image;
}

static inline void toFlags(size_t n, uint8_t* bytes) {
  for (size_t i = 0; i < n; ++i) bytes[i] &= 1;
}

// 11 random bits are what a half can tell apart just below 1; all such shares are 0 or normal halves.
static inline void toHalves(size_t n, uint8_t* bytes) {
  for (size_t i = 0; i < n; i += 2) {
    uint16_t random;
    memcpy(&random, bytes + i, 2);
    // The exponent counts from 15 and not from 127. Only 0 lies below what that takes away.
    const int32_t image = int32_t(shareBits(random >> 5, 11)), least = 0x38000000;
    random = uint16_t((image < least ? 0 : image - least) >> 13);
    memcpy(bytes + i, &random, 2);
  }
}

static inline void toBrainFloats(size_t n, uint8_t* bytes) {
  for (size_t i = 0; i < n; i += 2) {
    uint16_t random;
    memcpy(&random, bytes + i, 2);
    random = uint16_t(shareBits(random >> 8, 8) >> 16);
    memcpy(bytes + i, &random, 2);
  }
}

// A significand of random bits gives [1, 2).
static inline void toSingles(size_t n, uint8_t* bytes) {
  for (size_t i = 0; i < n; i += 4) {
    uint32_t random;
    float value;
    memcpy(&random, bytes + i, 4);
    random = random >> 9 | 0x3f800000u;
    memcpy(&value, &random, 4);
    value -= 1;
    memcpy(bytes + i, &value, 4);
  }
}

static inline void toDoubles(size_t n, uint8_t* bytes) {
  for (size_t i = 0; i < n; i += 8) {
    uint64_t random;
    double value;
    memcpy(&random, bytes + i, 8);
    random = random >> 12 | 0x3ff0000000000000u;
    memcpy(&value, &random, 8);
    value -= 1;
    memcpy(bytes + i, &value, 8);
  }
}

static inline void randomElements(RandomType type, size_t n, uint8_t* bytes) {
  switch (type) {
    case RandomType::bits: return;
    case RandomType::flags: return toFlags(n, bytes);
    case RandomType::float16: return toHalves(n, bytes);
    case RandomType::bfloat16: return toBrainFloats(n, bytes);
    case RandomType::float32: return toSingles(n, bytes);
    case RandomType::float64: return toDoubles(n, bytes);
  }
}

}  // namespace headrace::scalar
