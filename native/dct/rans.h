// The range coder of the compact form: tables of frequencies, and its encoder. The decoder is a kernel.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.h"

namespace headrace {

inline constexpr size_t kSymbols = 256;
inline constexpr uint32_t kRansUnit = 1u << kRansBits;  // what the frequencies of a context sum to
inline constexpr size_t kRansStatesBytes = 64;
inline constexpr uint32_t kRansStart = 1u << 16;        // every state before the first symbol is coded, after the last is decoded

// Contexts by what a symbol is; the first three come in pairs, of component 0 and of the others.
enum RansContext : uint8_t { kHdrContext = 0, kDcContext = 2, kNibbleContext = 4, kEscapeContext = 6, kMaskContext = 8 };

using RansCounts = std::array<double, kRansContexts * kSymbols>;
using RansFrequencies = std::array<uint16_t, kRansContexts * kSymbols>;

// Frequencies near those of the counts, each at least 1, each context's sum kRansUnit. The same on every machine.
RansFrequencies frequenciesOf(const RansCounts& counts);

// What coding a symbol does to a state x, without a division: q = x * inverse >> 64, then x += bias + q * others.
struct RansCode {
  uint64_t inverse;
  uint32_t limit;      // a state from here on gives a word away first
  uint16_t bias, others;
};

struct RansTable {
  RansFrequencies frequencies;
  std::vector<RansEntry> entries;  // kRansContexts << kRansBits
  std::vector<RansCode> codes;     // of the encoder, kRansContexts * kSymbols

  // False where the frequencies are not as frequenciesOf makes them.
  bool build(std::span<const uint16_t> frequencies);
};

struct RansSymbol {
  uint8_t symbol, context;
};

// Codes the symbols of the phases, appended: 16 states, then words.
void ransEncode(const RansTable& table, std::span<const std::vector<RansSymbol>> phases, std::vector<uint8_t>& out);

}  // namespace headrace
