// The range decoder in plain C++: the reference, and what instruction sets without gathers use.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

namespace headrace::scalar {

// Up to 16 symbols. Reads a word behind the end at most; the caller looks where `words` ended up.
static inline void ransStep(RansStream& stream, const RansEntry* table, const uint8_t* contexts, size_t n, uint8_t* out) {
  for (size_t lane = 0; lane < n; ++lane) {
    const uint32_t state = stream.states[lane];
    const RansEntry entry = table[size_t(contexts[lane] & (kRansContexts - 1)) << kRansBits | (state & ((1u << kRansBits) - 1))];
    out[lane] = uint8_t(entry);
    uint32_t next = (entry >> 8 & 0xfff) * (state >> kRansBits) + (entry >> 20);
    if (next < 1u << 16) {
      uint16_t word;
      memcpy(&word, stream.words, sizeof word);
      stream.words += sizeof word;
      next = next << 16 | word;
    }
    stream.states[lane] = next;
  }
}

static inline bool ransSymbols(RansStream* streams, size_t count, const RansEntry* table, const uint8_t* const* contexts,
                               const size_t* n, uint8_t* const* out) {
  for (size_t k = 0; k < count; ++k) {
    for (size_t i = 0; i < n[k]; i += 16) {
      ransStep(streams[k], table, contexts[k] + i, n[k] - i < 16 ? n[k] - i : 16, out[k] + i);
      if (streams[k].words > streams[k].end) return false;
    }
  }
  return true;
}

}  // namespace headrace::scalar
