#include "rans.h"

#include <algorithm>
#include <cmath>

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

bool RansTable::build(std::span<const uint16_t> given) {
  if (given.size() != frequencies.size()) return false;
  std::copy(given.begin(), given.end(), frequencies.begin());
  entries.resize(kRansContexts << kRansBits);
  for (size_t context = 0; context < kRansContexts; context++) {
    uint32_t start = 0;
    for (size_t s = 0; s < kSymbols; s++) {
      const uint32_t frequency = frequencies[context * kSymbols + s];
      if (frequency < 1 || start + frequency > kRansUnit) return false;
      starts[context * kSymbols + s] = static_cast<uint16_t>(start);
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
  std::vector<uint16_t> words;  // the last one that the decoder needs first
  for (size_t p = phases.size(); p-- > 0;) {
    for (size_t i = phases[p].size(); i-- > 0;) {
      const auto [symbol, context] = phases[p][i];
      uint32_t& state = states[i % kLanes];
      const uint32_t frequency = table.frequencies[context * kSymbols + symbol];
      if (state >= static_cast<uint64_t>(frequency) << (32 - kRansBits)) {
        words.push_back(static_cast<uint16_t>(state));
        state >>= 16;
      }
      state = (state / frequency << kRansBits) + state % frequency + table.starts[context * kSymbols + symbol];
    }
  }
  const auto put = [&](uint32_t value, size_t bytes) {
    for (size_t b = 0; b < bytes; b++) out.push_back(static_cast<uint8_t>(value >> (8 * b)));
  };
  for (const uint32_t state : states) put(state, 4);
  for (size_t i = words.size(); i-- > 0;) put(words[i], 2);
}

}  // namespace headrace
