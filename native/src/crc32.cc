#include "crc32.h"

#include <array>
#include <cstring>

#include "crc_folding.h"

namespace headrace {
namespace {

// Bits reversed: bit i of a word stands for x^(31-i).
constexpr uint32_t kPolynomial = 0xEDB88320u;

constexpr uint32_t timesX(uint32_t value) { return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0u); }

// Table k: what a byte leaves when k zero bytes follow it.
constexpr std::array<std::array<uint32_t, 256>, 8> makeTables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = timesX(value);
    tables[0][i] = value;
  }
  for (size_t k = 1; k < 8; k++)
    for (size_t i = 0; i < 256; i++) tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
  return tables;
}
constexpr auto kTables = makeTables();

uint32_t portable(const uint8_t* data, size_t size, uint32_t crc) {
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word = crc;
    for (int i = 0; i < 8; i++) word ^= static_cast<uint64_t>(data[i]) << (8 * i);
    crc = 0;
    for (size_t i = 0; i < 8; i++) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; size > 0; data++, size--) crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xff];
  return crc;
}

#if defined(HEADRACE_CRC_FOLDS)
constexpr uint64_t powerOfX(int power) {
  uint32_t value = uint32_t{1} << 31;
  for (int i = 0; i < power; i++) value = timesX(value);
  return static_cast<uint64_t>(value) << 32;
}
constexpr CrcFold kBy64 = crcFoldBy(512, powerOfX);
constexpr CrcFold kBy16 = crcFoldBy(128, powerOfX);

uint32_t sum(const uint8_t* data, size_t size, uint32_t crc) {
  if (size < kCrcFoldBytes || !canFoldCrc()) return portable(data, size, crc);
  const auto folded = foldCrc(data, size, crc, kBy64, kBy16);
  return portable(data, size, portable(folded.data(), folded.size(), 0));
}
#else
uint32_t sum(const uint8_t* data, size_t size, uint32_t crc) { return portable(data, size, crc); }
#endif

}  // namespace

uint32_t crc32(const uint8_t* data, size_t size, uint32_t initial) { return ~sum(data, size, ~initial); }

}  // namespace headrace
