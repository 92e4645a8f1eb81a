#include "crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HEADRACE_CRC_X86 1
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define HEADRACE_CRC_ARM 1
#endif

namespace headrace {
namespace {

constexpr std::array<uint32_t, 256> makeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = makeTable();

uint32_t portable(const uint8_t* data, size_t size, uint32_t crc) {
  for (size_t i = 0; i < size; i++) crc = (crc >> 8) ^ kTable[(crc ^ data[i]) & 0xff];
  return crc;
}

#if defined(HEADRACE_CRC_X86) || defined(HEADRACE_CRC_ARM)

// One instruction waits for the one before: three pieces side by side keep the unit busy. Their sums are put together by
// what kPiece and 2 * kPiece zero bytes would do to them.
constexpr size_t kPiece = 1024;

/// a * b modulo the polynomial; bit 31 is x^0.
constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int bit = 31; bit >= 0; bit--) {
    if (((a >> bit) & 1) != 0) product ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? 0x82F63B78u : 0u);
  }
  return product;
}

/// x^(8 * bytes); `bytes` is a power of two.
constexpr uint32_t powerOf(size_t bytes) {
  uint32_t power = 0x00800000u;  // x^8
  for (size_t done = 1; done < bytes; done *= 2) power = multiply(power, power);
  return power;
}

/// What a number of zero bytes makes of a sum, by each of its bytes.
struct Shift {
  std::array<std::array<uint32_t, 256>, 4> of{};

  explicit constexpr Shift(size_t bytes) {
    const uint32_t power = powerOf(bytes);
    for (uint32_t position = 0; position < 4; position++)
      for (uint32_t bit = 0; bit < 8; bit++) {
        const uint32_t first = 1u << bit;
        const uint32_t value = multiply(power, first << (8 * position));
        for (uint32_t rest = 0; rest < first; rest++) of[position][first + rest] = of[position][rest] ^ value;
      }
  }

  uint32_t operator()(uint32_t crc) const {
    return of[0][crc & 0xff] ^ of[1][(crc >> 8) & 0xff] ^ of[2][(crc >> 16) & 0xff] ^ of[3][crc >> 24];
  }
};
constexpr Shift kOnePiece(kPiece);
constexpr Shift kTwoPieces(2 * kPiece);

inline uint64_t wordAt(const uint8_t* data) {
  uint64_t word;
  std::memcpy(&word, data, 8);
  return word;
}

#if defined(HEADRACE_CRC_X86)
#define HEADRACE_CRC_TARGET __attribute__((target("sse4.2")))
#define HEADRACE_CRC_WORD(crc, word) static_cast<uint32_t>(_mm_crc32_u64(crc, word))
#define HEADRACE_CRC_BYTE(crc, byte) _mm_crc32_u8(crc, byte)
bool hasHardware() {
  static const bool has = __builtin_cpu_supports("sse4.2");
  return has;
}
#else
#define HEADRACE_CRC_TARGET
#define HEADRACE_CRC_WORD(crc, word) __crc32cd(crc, word)
#define HEADRACE_CRC_BYTE(crc, byte) __crc32cb(crc, byte)
bool hasHardware() { return true; }
#endif

HEADRACE_CRC_TARGET uint32_t hardware(const uint8_t* data, size_t size, uint32_t crc) {
  for (; size >= 3 * kPiece; data += 3 * kPiece, size -= 3 * kPiece) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (size_t i = 0; i < kPiece; i += 8) {
      crc = HEADRACE_CRC_WORD(crc, wordAt(data + i));
      second = HEADRACE_CRC_WORD(second, wordAt(data + kPiece + i));
      third = HEADRACE_CRC_WORD(third, wordAt(data + 2 * kPiece + i));
    }
    crc = kTwoPieces(crc) ^ kOnePiece(second) ^ third;
  }
  for (; size >= 8; data += 8, size -= 8) crc = HEADRACE_CRC_WORD(crc, wordAt(data));
  for (; size > 0; data++, size--) crc = HEADRACE_CRC_BYTE(crc, *data);
  return crc;
}

#else
uint32_t hardware(const uint8_t* data, size_t size, uint32_t crc) { return portable(data, size, crc); }
bool hasHardware() { return false; }
#endif

}  // namespace

uint32_t crc32c(const uint8_t* data, size_t size, uint32_t initial) {
  const uint32_t crc = ~initial;
  return ~(hasHardware() ? hardware(data, size, crc) : portable(data, size, crc));
}

}  // namespace headrace
