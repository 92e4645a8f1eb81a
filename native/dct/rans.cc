#include "rans.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headrace {

RansFrequencies frequenciesOf(const RansCounts& counts) {
  // A symbol that the sample did not have may still come.
  constexpr double kUnseen = 1e-3;
  RansFrequencies frequencies;
  for (size_t context = 0; context < kRansContexts; context++) {
    const double* count = counts.data() + context * kSymbols;
    uint16_t* frequency = frequencies.data() + context * kSymbols;
    double total = 0;
    for (size_t s = 0; s < kSymbols; s++) total += count[s] + kUnseen;
    uint32_t sum = 0;
    for (size_t s = 0; s < kSymbols; s++) {
      frequency[s] = static_cast<uint16_t>(std::max(1.0, std::floor((count[s] + kUnseen) / total * kRansUnit + 0.5)));
      sum += frequency[s];
    }
    if (sum < kRansUnit) *std::max_element(frequency, frequency + kSymbols) += static_cast<uint16_t>(kRansUnit - sum);
    // One less for the symbol that loses least: count / frequency is the slope of its code length.
    for (; sum > kRansUnit; sum--) {
      size_t least = kSymbols;
      for (size_t s = 0; s < kSymbols; s++) {
        if (frequency[s] == 1) continue;
        if (least == kSymbols || (count[s] + kUnseen) * frequency[least] < (count[least] + kUnseen) * frequency[s]) least = s;
      }
      frequency[least]--;
    }
  }
  return frequencies;
}

namespace {

// x / frequency is exact for every x of 32 bits: the inverse is too large by less than 1 / 2^64, and x * frequency is below
// 2^64. Where the frequency is 1 the inverse does not fit, x - 1 comes out, and the bias makes up for it.
RansCode codeOf(uint32_t start, uint32_t frequency) {
  const bool one = frequency == 1;
  const uint64_t inverse = one ? UINT64_MAX : UINT64_MAX / frequency + 1;
  const uint32_t others = kRansUnit - frequency;
  return {inverse, frequency << (32 - kRansBits), static_cast<uint16_t>(start + (one ? others : 0)), static_cast<uint16_t>(others)};
}

}  // namespace

bool RansTable::build(std::span<const uint16_t> given) {
  if (given.size() != frequencies.size()) return false;
  std::copy(given.begin(), given.end(), frequencies.begin());
  entries.resize(kRansContexts << kRansBits);
  codes.resize(kRansContexts * kSymbols);
  for (size_t context = 0; context < kRansContexts; context++) {
    uint32_t start = 0;
    for (size_t s = 0; s < kSymbols; s++) {
      const uint32_t frequency = frequencies[context * kSymbols + s];
      if (frequency < 1 || start + frequency > kRansUnit) return false;
      codes[context * kSymbols + s] = codeOf(start, frequency);
      for (uint32_t k = 0; k < frequency; k++)
        entries[(context << kRansBits) + start + k] = static_cast<uint32_t>(s) | frequency << 8 | k << 20;
      start += frequency;
    }
    if (start != kRansUnit) return false;
  }
  return true;
}

void ransEncode(const RansTable& table, std::span<const std::vector<RansSymbol>> phases, std::vector<uint8_t>& out) {
  constexpr size_t kLanes = 16;
  uint32_t states[kLanes];
  std::fill(states, states + kLanes, kRansStart);
  size_t symbols = 0;
  for (const auto& phase : phases) symbols += phase.size();
  // From the end: the word that the decoder needs first comes last. A symbol brings one at most.
  const size_t before = out.size(), most = before + kRansStatesBytes + 2 * symbols;
  out.resize(most);
  uint8_t* next = out.data() + most;
  for (size_t p = phases.size(); p-- > 0;) {
    for (size_t i = phases[p].size(); i-- > 0;) {
      const auto [symbol, context] = phases[p][i];
      const RansCode& code = table.codes[context * kSymbols + symbol];
      uint32_t state = states[i % kLanes];
      // Without a branch: whether a word goes out is as good as random.
      const uint32_t full = state >= code.limit;
      next[-2] = static_cast<uint8_t>(state);
      next[-1] = static_cast<uint8_t>(state >> 8);
      next -= 2 * full;
      state >>= 16 * full;
      const auto quotient = static_cast<uint32_t>(static_cast<unsigned __int128>(state) * code.inverse >> 64);
      states[i % kLanes] = state + code.bias + quotient * code.others;
    }
  }
  uint8_t* at = out.data() + before;
  for (const uint32_t state : states)
    for (size_t b = 0; b < 4; b++) *at++ = static_cast<uint8_t>(state >> (8 * b));
  const auto words = static_cast<size_t>(out.data() + most - next);
  std::memmove(at, next, words);
  out.resize(before + kRansStatesBytes + words);
}

}  // namespace headrace
