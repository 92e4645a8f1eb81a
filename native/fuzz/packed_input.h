// Inputs of packed_fuzz: an option header (all zeros: the whole picture, the table as it is), then a packed sample.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "../dct/rans.h"

namespace headrace {

// Moves frequency from one symbol of a context to another, which leaves a table that can be built; or, where `raw` is
// odd, puts a number there, which seldom does.
struct __attribute__((packed)) TableEdit {
  uint8_t context, from, to, raw;
  uint16_t amount;
};

struct __attribute__((packed)) PackedOptions {
  uint8_t flags;     // 1: no byte behind the sample may be read
  uint16_t crop[4];  // x, y, width, height in 1/65536 of what there is
  TableEdit edits[4];
};

// The table that samples of the compact form are made with: of no photographs, but near enough, and the same for ever.
inline const RansFrequencies& fuzzFrequencies() {
  static const RansFrequencies frequencies = [] {
    RansCounts counts;
    for (size_t i = 0; i < counts.size(); i++) {
      const size_t symbol = i % kSymbols, distance = symbol < 128 ? symbol : 256 - symbol;
      counts[i] = 1e6 / static_cast<double>(1 + distance * distance) + (__builtin_popcount(static_cast<unsigned>(symbol)) == 1 ? 2e5 : 0);
    }
    return frequenciesOf(counts);
  }();
  return frequencies;
}

// False where the edited frequencies are refused.
inline bool editedTable(const PackedOptions& options, RansTable& table) {
  RansFrequencies frequencies = fuzzFrequencies();
  for (const TableEdit& edit : options.edits) {
    uint16_t* of = frequencies.data() + edit.context % kRansContexts * kSymbols;
    if (edit.raw & 1) {
      of[edit.to] = edit.amount;
    } else if (of[edit.from] > 0) {
      const auto moved = static_cast<uint16_t>(edit.amount % of[edit.from]);  // one is left
      of[edit.from] = static_cast<uint16_t>(of[edit.from] - moved);
      of[edit.to] = static_cast<uint16_t>(of[edit.to] + moved);
    }
  }
  return table.build(frequencies);
}

struct PackedInput {
  PackedOptions options;
  std::span<const uint8_t> sample;

  // False where the input is shorter than its header.
  bool read(const uint8_t* data, size_t size) {
    if (size < sizeof options) return false;
    std::memcpy(&options, data, sizeof options);
    sample = {data + sizeof options, size - sizeof options};
    return true;
  }
};

}  // namespace headrace
