// Cyclic redundancy checks by carry-less multiplication: 64 bytes are moved ahead at once. For reflected polynomials of up
// to 64 bits; bit i of a word stands for x^(63-i), so that one of 32 bits stands in the upper half of its words.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#define HEADRACE_CRC_FOLDS 1
#endif

namespace headrace {

// What moves 16 bytes a number of bits ahead: x^(bits + 63) and x^(bits - 1) modulo the polynomial. The product of reversed
// words is one place off, hence the powers are one less.
struct CrcFold {
  uint64_t low, high;
};

// `powerOfX(n)` is x^n modulo the polynomial.
template <typename PowerOfX>
constexpr CrcFold crcFoldBy(int bits, PowerOfX powerOfX) {
  return {powerOfX(bits + 63), powerOfX(bits - 1)};
}

// Below this many bytes folding has nothing to do.
constexpr size_t kCrcFoldBytes = 128;

#if defined(HEADRACE_CRC_FOLDS)
inline bool canFoldCrc() {
  static const bool can = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return can;
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i foldedCrc(__m128i state, CrcFold fold, __m128i next) {
  const __m128i by = _mm_set_epi64x(static_cast<long long>(fold.high), static_cast<long long>(fold.low));
  const __m128i low = _mm_clmulepi64_si128(state, by, 0x00);
  const __m128i high = _mm_clmulepi64_si128(state, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// Takes kCrcFoldBytes or more down to fewer than 16, and 16 bytes that stand for what was taken: their sum, begun with 0 and
// gone on with over the rest, is that of all, begun with `crc`. `by64`, `by16`: 512 and 128 bits.
__attribute__((target("pclmul,sse4.1"))) inline std::array<uint8_t, 16> foldCrc(const uint8_t*& data, size_t& size, uint64_t crc,
                                                                                 CrcFold by64, CrcFold by16) {
  const auto load = [](const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
  __m128i state[4];
  for (int i = 0; i < 4; i++) state[i] = load(data + 16 * i);
  state[0] = _mm_xor_si128(state[0], _mm_set_epi64x(0, static_cast<long long>(crc)));
  data += 64;
  size -= 64;
  for (; size >= 64; data += 64, size -= 64)
    for (int i = 0; i < 4; i++) state[i] = foldedCrc(state[i], by64, load(data + 16 * i));
  __m128i last = state[0];
  for (int i = 1; i < 4; i++) last = foldedCrc(last, by16, state[i]);
  for (; size >= 16; data += 16, size -= 16) last = foldedCrc(last, by16, load(data));
  std::array<uint8_t, 16> rest;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest.data()), last);
  return rest;
}
#endif

}  // namespace headrace
