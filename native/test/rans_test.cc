// The range coder: what the encoder writes every table decodes, as scalar does also where the bytes mean nothing; and
// the frequencies it works with.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "../dct/rans.h"
#include "cases.h"

using namespace headrace;

namespace {

RansCounts randomCounts(unsigned kind, std::mt19937& random) {
  RansCounts counts{};
  for (size_t i = 0; i < counts.size(); ++i) {
    const double distance = double(std::min(i % kSymbols, kSymbols - i % kSymbols));
    switch (kind % 5) {
      case 0: break;                                                                                // nothing was seen
      case 1: counts[i] = i % kSymbols == 7 ? 1e15 : 0; break;                                      // one symbol only
      case 2: counts[i] = 1 + random() % 3; break;                                                  // all alike
      case 3: counts[i] = std::floor(1e6 / (1 + distance * distance)); break;                       // as of coefficients
      case 4: counts[i] = random() % 50 ? random() % 4 : std::floor(std::ldexp(1, int(random() % 49))); break;
    }
  }
  return counts;
}

RansTable tableOf(const RansCounts& counts) {
  RansTable table;
  table.build(frequenciesOf(counts));
  return table;
}

// A stream in memory of exactly what may be read: its words, then kStripPadding bytes of noise.
struct Coded {
  std::vector<uint8_t> memory;
  size_t words;  // bytes of them
  RansStream stream() const {
    RansStream stream;
    std::memcpy(stream.states, memory.data(), kRansStatesBytes);
    stream.words = memory.data() + kRansStatesBytes;
    stream.end = stream.words + words;
    return stream;
  }
};

Coded placed(const std::vector<uint8_t>& code, std::mt19937& random) {
  Coded coded{randomBytes(code.size() + kStripPadding, random), code.size() - kRansStatesBytes};
  std::copy(code.begin(), code.end(), coded.memory.begin());
  return coded;
}

struct Contexts {
  std::vector<std::vector<uint8_t>> phases;
  size_t most() const {
    size_t most = 0;
    for (const auto& phase : phases) most = std::max(most, phase.size());
    return most;
  }
};

// Contexts of up to four phases; only their lower 4 bits count.
Contexts randomContexts(size_t most, std::mt19937& random) {
  Contexts contexts;
  for (size_t p = 0; p < 1 + random() % 4; ++p) contexts.phases.push_back(randomBytes(random() % (most + 1), random));
  return contexts;
}

struct Result {
  bool sound = true;
  std::vector<uint8_t> symbols[2];
  uint32_t states[2][16];
  ptrdiff_t left[2];
  bool operator==(const Result& other) const {
    if (sound != other.sound) return false;
    return !sound || (symbols[0] == other.symbols[0] && symbols[1] == other.symbols[1] && std::memcmp(states, other.states, sizeof states) == 0 &&
                      std::equal(left, left + 2, other.left));
  }
};

// All phases of one or two streams, decoded side by side.
Result decode(const Kernels& kernels, const RansTable& table, const std::vector<Coded>& coded, const std::vector<Contexts>& contexts, std::mt19937& random) {
  Result result{};
  RansStream streams[2];
  for (size_t k = 0; k < coded.size(); ++k) streams[k] = coded[k].stream();
  for (size_t p = 0; p < 4 && result.sound; ++p) {
    std::vector<uint8_t> padded[2], out[2];
    const uint8_t* from[2] = {};
    uint8_t* to[2] = {};
    size_t n[2] = {};
    for (size_t k = 0; k < coded.size(); ++k) {
      if (p < contexts[k].phases.size()) padded[k] = contexts[k].phases[p];
      n[k] = padded[k].size();
      for (size_t i = 0; i < kRansPadding; ++i) padded[k].push_back(uint8_t(random()));
      padded[k].shrink_to_fit();
      out[k].resize(n[k] + kRansPadding);
      from[k] = padded[k].data();
      to[k] = out[k].data();
    }
    result.sound = kernels.ransSymbols(streams, coded.size(), table.entries.data(), from, n, to);
    for (size_t k = 0; k < coded.size(); ++k) result.symbols[k].insert(result.symbols[k].end(), out[k].begin(), out[k].begin() + long(n[k]));
  }
  for (size_t k = 0; k < coded.size(); ++k) {
    std::copy_n(streams[k].states, 16, result.states[k]);
    result.left[k] = streams[k].end - streams[k].words;
  }
  return result;
}

const Case coding("every table decodes what was encoded, one stream or two, any lengths, to settled states", [](Check& check) {
  std::mt19937 random(41);
  for (unsigned round = 0; round < 400; ++round) {
    const RansTable table = tableOf(randomCounts(round, random));
    std::vector<Coded> coded;
    std::vector<Contexts> contexts;
    std::vector<uint8_t> symbols[2];
    for (size_t k = 0; k < 1 + round % 2; ++k) {
      contexts.push_back(randomContexts(round % 3 ? 40 : 700, random));
      std::vector<std::vector<RansSymbol>> phases;
      for (const auto& phase : contexts[k].phases) {
        phases.emplace_back();
        for (const uint8_t context : phase) {
          symbols[k].push_back(random() % 4 ? table.entries[size_t(context % kRansContexts) << kRansBits | random() % kRansUnit] & 255 : uint8_t(random()));
          phases.back().push_back({symbols[k].back(), uint8_t(context % kRansContexts)});
        }
      }
      std::vector<uint8_t> code;
      ransEncode(table, phases, code);
      coded.push_back(placed(code, random));
    }
    for (const Kernels* kernels : allTables()) {
      const Result result = decode(*kernels, table, coded, contexts, random);
      check.that(result.sound, "%s round %u: out of words", kernels->name, round);
      for (size_t k = 0; k < coded.size(); ++k) {
        check.that(result.symbols[k] == symbols[k], "%s round %u stream %zu of %zu", kernels->name, round, k, coded.size());
        const bool settled = std::all_of(result.states[k], result.states[k] + 16, [](uint32_t state) { return state == kRansStart; });
        check.that(settled && result.left[k] == 0, "%s round %u stream %zu: %td bytes left", kernels->name, round, k, result.left[k]);
      }
    }
  }
});

const Case hostile("ransSymbols gives scalar's verdict, symbols and states for any states and words, and where they run out", [](Check& check) {
  std::mt19937 random(42);
  int sound = 0, out = 0;
  for (unsigned round = 0; round < 4000; ++round) {
    const RansTable table = tableOf(randomCounts(round, random));
    std::vector<Coded> coded;
    std::vector<Contexts> contexts;
    for (size_t k = 0; k < 1 + round / 5 % 2; ++k) {
      contexts.push_back(randomContexts(round % 3 ? 90 : 300, random));
      auto code = randomBytes(kRansStatesBytes + random() % (random() % 2 ? 20 : 900), random);
      for (size_t lane = 0; lane < 16; ++lane) {
        if (random() % 8 == 0) std::memset(code.data() + 4 * lane, random() % 2 ? 0xff : 0, 4);
        if (random() % 8 == 0) std::memset(code.data() + 4 * lane + 2, 0, 2);  // below what a state can be
      }
      coded.push_back(placed(code, random));
    }
    const Result expected = decode(kScalarKernels, table, coded, contexts, random);
    ++(expected.sound ? sound : out);
    for (const Kernels* kernels : simdTables())
      check.that(decode(*kernels, table, coded, contexts, random) == expected, "%s round %u: scalar %s", kernels->name, round, expected.sound ? "sound" : "out of words");
  }
  check.that(sound > 500 && out > 500, "one-sided");
  check.note("%d sound, %d out of words", sound, out);
});

const Case cut("a stream that is one word shorter is refused, alone and beside a whole one", [](Check& check) {
  std::mt19937 random(43);
  const RansTable table = tableOf(randomCounts(2, random));
  for (size_t n = 40; n < 120; ++n) {
    const Contexts contexts{{std::vector<uint8_t>(n, 3)}};
    std::vector<std::vector<RansSymbol>> phases(1);
    for (size_t i = 0; i < n; ++i) phases[0].push_back({uint8_t(random()), 3});
    std::vector<uint8_t> code;
    ransEncode(table, phases, code);
    const Coded whole = placed(code, random);
    for (const size_t missing : {1, 2}) {
      const Coded shorter = placed({code.begin(), code.end() - long(missing)}, random);
      for (const Kernels* kernels : allTables()) {
        check.that(!decode(*kernels, table, {shorter}, {contexts}, random).sound, "%s n=%zu", kernels->name, n);
        check.that(!decode(*kernels, table, {shorter, whole}, {contexts, contexts}, random).sound, "%s n=%zu first of two", kernels->name, n);
        check.that(!decode(*kernels, table, {whole, shorter}, {contexts, contexts}, random).sound, "%s n=%zu second of two", kernels->name, n);
      }
    }
  }
});

const Case frequencies("frequenciesOf gives each symbol at least 1 and each context 1024, more to what came more often", [](Check& check) {
  std::mt19937 random(44);
  for (unsigned kind = 0; kind < 40; ++kind) {
    const RansCounts counts = randomCounts(kind, random);
    const RansFrequencies given = frequenciesOf(counts);
    for (size_t context = 0; context < kRansContexts; ++context) {
      const uint16_t* frequency = given.data() + context * kSymbols;
      const double* count = counts.data() + context * kSymbols;
      check.that(std::accumulate(frequency, frequency + kSymbols, 0u) == kRansUnit, "kind %u context %zu: the sum", kind, context);
      check.that(*std::min_element(frequency, frequency + kSymbols) >= 1, "kind %u context %zu: a zero", kind, context);
      for (size_t s = 1; s < kSymbols; ++s)
        check.that(count[s] <= count[0] ? frequency[s] <= frequency[0] + 1 : frequency[s] + 1 >= frequency[0], "kind %u context %zu symbol %zu", kind, context, s);
    }
  }
  const RansFrequencies unseen = frequenciesOf(RansCounts{}), one = frequenciesOf(randomCounts(1, random));
  check.that(std::all_of(unseen.begin(), unseen.end(), [](uint16_t f) { return f == 4; }), "nothing seen is not uniform");
  check.that(one[7] == kRansUnit - 255 && one[8] == 1, "one symbol only: %d", one[7]);
});

const Case shortCodes("frequenciesOf costs less than 8 % over the entropy of its counts where symbols are common", [](Check& check) {
  std::mt19937 random(45);
  const RansCounts counts = randomCounts(3, random);
  const RansFrequencies given = frequenciesOf(counts);
  double total = 0, entropy = 0, cost = 0;
  for (size_t s = 0; s < kSymbols; ++s) total += counts[s];
  for (size_t s = 0; s < kSymbols; ++s) {
    entropy -= counts[s] * std::log2(counts[s] / total);
    cost -= counts[s] * std::log2(given[s] / double(kRansUnit));
  }
  check.that(cost < 1.08 * entropy, "%.3f times", cost / entropy);
  check.note("%.4f times", cost / entropy);
});

// The frequencies are part of a cache's files: other numbers on another machine would be other files.
const Case everywhere("frequenciesOf gives the same numbers on every machine", [](Check& check) {
  RansCounts counts{};
  uint32_t state = 1;
  for (size_t i = 0; i < counts.size(); ++i) {
    state = state * 1664525 + 1013904223;
    counts[i] = i / kSymbols % 4 == 3 ? 0 : double(state >> (8 + i % kSymbols / 12)) / (i % 5 + 1);
  }
  uint64_t hash = 14695981039346656037u;
  for (const uint16_t frequency : frequenciesOf(counts)) hash = (hash ^ frequency) * 1099511628211u;
  check.that(hash == 0xcfb7f6cbfe8204cf, "hash %016llx", (unsigned long long)hash);
});

const Case building("RansTable::build takes what frequenciesOf gives, and no other sums, zeros or sizes", [](Check& check) {
  std::mt19937 random(46);
  const RansFrequencies sound = frequenciesOf(randomCounts(3, random));
  RansTable table;
  check.that(table.build(sound), "sound ones");
  std::vector<uint32_t> starts(kRansContexts * kSymbols, kRansUnit);
  for (size_t context = 0; context < kRansContexts; ++context) {
    for (uint32_t slot = 0; slot < kRansUnit; ++slot) {
      const RansEntry entry = table.entries[context << kRansBits | slot];
      const size_t at = context * kSymbols + (entry & 255);
      starts[at] = std::min(starts[at], slot);
      check.that((entry >> 8 & 0xfff) == sound[at] && starts[at] + (entry >> 20) == slot, "entry %zu %u", context, slot);
    }
  }
  // The encoder's step is the division that it replaces.
  for (size_t at = 0; at < kRansContexts * kSymbols; ++at) {
    const RansCode& code = table.codes[at];
    const uint32_t frequency = sound[at], limit = frequency << (32 - kRansBits);
    check.that(code.limit == limit, "limit %zu", at);
    for (uint32_t i = 0; i < 40; ++i) {
      const uint32_t edge = i / 4 % 2 ? uint32_t(random()) % limit / frequency * frequency : frequency, x = i < 8 ? limit - 1 - i : i < 16 ? kRansStart + i - 8 : edge + i % 4;
      if (x >= limit || x == 0) continue;
      const auto quotient = uint32_t(static_cast<unsigned __int128>(x) * code.inverse >> 64);
      check.that(x + code.bias + quotient * code.others == (x / frequency << kRansBits) + x % frequency + starts[at], "symbol %zu of %u, state %u", at, frequency, x);
    }
  }
  const auto takes = [&](size_t i, int change) {
    std::vector<uint16_t> other(sound.begin(), sound.end());
    other[i] = uint16_t(other[i] + change);
    return table.build(other);
  };
  check.that(!takes(0, 1) && !takes(255, 1) && !takes(4095, -1) && !takes(5 * 256, -1), "a sum that is not 1024");
  check.that(!takes(255, 65536 - 1024) && !takes(3, -sound[3]), "a frequency out of range");
  std::vector<uint16_t> moved(sound.begin(), sound.end());
  moved[0] = uint16_t(moved[0] + moved[1]);
  moved[1] = 0;
  check.that(!table.build(moved), "a zero beside a right sum");
  check.that(!table.build({sound.data(), sound.size() - 1}) && !table.build({}), "another size");
});

}  // namespace
