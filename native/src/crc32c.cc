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

#if defined(HEADRACE_CRC_X86)
__attribute__((target("sse4.2"))) uint32_t hardware(const uint8_t* data, size_t size, uint32_t crc) {
  uint64_t state = crc;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    state = _mm_crc32_u64(state, word);
  }
  crc = static_cast<uint32_t>(state);
  for (; size > 0; data++, size--) crc = _mm_crc32_u8(crc, *data);
  return crc;
}
bool hasHardware() {
  static const bool has = __builtin_cpu_supports("sse4.2");
  return has;
}
#elif defined(HEADRACE_CRC_ARM)
uint32_t hardware(const uint8_t* data, size_t size, uint32_t crc) {
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    crc = __crc32cd(crc, word);
  }
  for (; size > 0; data++, size--) crc = __crc32cb(crc, *data);
  return crc;
}
bool hasHardware() { return true; }
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
