#include "huffman_table.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace headrace {
namespace {

// Bits of a value of 8-bit pictures: of DC the difference of two, of AC the coefficient.
constexpr uint32_t kMostDcBits = 11, kMostAcBits = 10;
constexpr uint8_t kSixteenZeros = 0xf0, kEnd = 0x00;
constexpr uint8_t kMostDcSymbol = 15;  // a table with larger ones is refused by libjpeg

uint32_t entryOf(uint8_t symbol, uint32_t length, bool dc) {
  const auto entry = [&](uint32_t run, uint32_t size) { return (length + size) | length << 8 | run << 16 | size << 24; };
  if (dc) return symbol <= kMostDcBits ? entry(0, symbol) : entry(kHuffmanUnknown, 0);
  if (symbol == kEnd) return entry(kHuffmanEndOfBlock, 0);
  if (symbol == kSixteenZeros) return entry(16, 0);
  const uint32_t run = symbol >> 4, size = symbol & 15;
  return size >= 1 && size <= kMostAcBits ? entry(run, size) : entry(kHuffmanUnknown, 0);
}

}  // namespace

bool HuffmanTable::build(const JHUFF_TBL& table, bool dc) {
  const uint8_t* counts = table.bits + 1;
  if (built_ && dc == dc_ && std::equal(counts, counts + 16, counts_) && std::memcmp(symbols_, table.huffval, sizeof symbols_) == 0) return true;
  built_ = false;
  dc_ = dc;
  std::copy_n(counts, 16, counts_);
  std::memcpy(symbols_, table.huffval, sizeof symbols_);
  std::fill(std::begin(codes_.lookup), std::end(codes_.lookup), 0);
  int code = 0, place = 0;
  for (int length = 1; length <= 16; length++, code <<= 1) {
    codes_.offset[length] = place - code;
    if (place + counts_[length - 1] > 256 || code + counts_[length - 1] >= 1 << length) return false;  // no code has all its bits set
    for (int i = 0; i < counts_[length - 1]; i++, code++, place++) {
      if (dc && symbols_[place] > kMostDcSymbol) return false;
      const uint32_t entry = codes_.entries[place] = entryOf(symbols_[place], static_cast<uint32_t>(length), dc);
      const int shift = kHuffmanLookupBits - length;
      if (shift >= 0) std::fill_n(codes_.lookup + (code << shift), 1 << shift, entry);
    }
    codes_.end[length] = code;
  }
  return built_ = true;
}

}  // namespace headrace
