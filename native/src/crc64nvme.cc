#include "crc64nvme.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define HEADRACE_CRC_X86 1
#endif

namespace headrace {
namespace {

// Bits reversed, as everything below: bit i of a word stands for x^(63-i).
constexpr uint64_t kPolynomial = 0x9A6C9329AC4BC9B5u;

constexpr uint64_t timesX(uint64_t value) { return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0u); }

// Table k: what a byte leaves when k zero bytes follow it.
constexpr std::array<std::array<uint64_t, 256>, 8> makeTables() {
  std::array<std::array<uint64_t, 256>, 8> tables{};
  for (uint64_t i = 0; i < 256; i++) {
    uint64_t value = i;
    for (int bit = 0; bit < 8; bit++) value = timesX(value);
    tables[0][i] = value;
  }
  for (size_t k = 1; k < 8; k++)
    for (size_t i = 0; i < 256; i++) tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
  return tables;
}
constexpr auto kTables = makeTables();

uint64_t portable(const uint8_t* data, size_t size, uint64_t crc) {
  for (; size >= 8; data += 8, size -= 8) {
    for (int i = 0; i < 8; i++) crc ^= static_cast<uint64_t>(data[i]) << (8 * i);
    uint64_t next = 0;
    for (size_t i = 0; i < 8; i++) next ^= kTables[7 - i][(crc >> (8 * i)) & 0xff];
    crc = next;
  }
  for (; size > 0; data++, size--) crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xff];
  return crc;
}

#if defined(HEADRACE_CRC_X86)
// x^power modulo the polynomial.
constexpr uint64_t powerOfX(int power) {
  uint64_t value = uint64_t{1} << 63;
  for (int i = 0; i < power; i++) value = timesX(value);
  return value;
}

// What moves 16 bytes `bits` bits ahead. The product of reversed words is one place off, hence the powers are one less.
struct Fold {
  uint64_t low, high;
};
constexpr Fold foldBy(int bits) { return {powerOfX(bits + 63), powerOfX(bits - 1)}; }
constexpr Fold kFold64 = foldBy(512);
constexpr Fold kFold16 = foldBy(128);

__attribute__((target("pclmul,sse4.1"))) inline __m128i folded(__m128i state, __m128i by, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(state, by, 0x00);
  const __m128i high = _mm_clmulepi64_si128(state, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("pclmul,sse4.1"))) uint64_t hardware(const uint8_t* data, size_t size, uint64_t crc) {
  if (size < 128) return portable(data, size, crc);
  const auto load = [](const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
  __m128i state[4];
  for (int i = 0; i < 4; i++) state[i] = load(data + 16 * i);
  state[0] = _mm_xor_si128(state[0], _mm_set_epi64x(0, static_cast<long long>(crc)));
  data += 64;
  size -= 64;
  const __m128i by64 = _mm_set_epi64x(static_cast<long long>(kFold64.high), static_cast<long long>(kFold64.low));
  for (; size >= 64; data += 64, size -= 64)
    for (int i = 0; i < 4; i++) state[i] = folded(state[i], by64, load(data + 16 * i));
  const __m128i by16 = _mm_set_epi64x(static_cast<long long>(kFold16.high), static_cast<long long>(kFold16.low));
  __m128i last = state[0];
  for (int i = 1; i < 4; i++) last = folded(last, by16, state[i]);
  for (; size >= 16; data += 16, size -= 16) last = folded(last, by16, load(data));
  uint8_t rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), last);
  return portable(data, size, portable(rest, 16, 0));
}
bool hasHardware() {
  static const bool has = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return has;
}
#else
uint64_t hardware(const uint8_t* data, size_t size, uint64_t crc) { return portable(data, size, crc); }
bool hasHardware() { return false; }
#endif

}  // namespace

uint64_t crc64nvme(const uint8_t* data, size_t size, uint64_t initial) {
  const uint64_t crc = ~initial;
  return ~(hasHardware() ? hardware(data, size, crc) : portable(data, size, crc));
}

}  // namespace headrace
