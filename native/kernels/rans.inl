// The range decoder over 16 lanes in registers, where there are gathers; see kernels.inl for the hazard.
#include "scalar_rans.h"

namespace headrace {
namespace {

#if defined(__AVX512F__) || defined(__AVX2__)

// States that fell below 2^16 take the next words, in the order of their lanes.
#if defined(__AVX512F__)
struct RansLanes {
  __m512i states;
  explicit RansLanes(const RansStream& stream) : states(_mm512_loadu_si512(stream.states)) {}
  void keep(RansStream& stream) const { _mm512_storeu_si512(stream.states, states); }

  void step(RansStream& stream, const RansEntry* table, const uint8_t* contexts, uint32_t n, uint8_t* out) {
    const __mmask16 active = n >= 16 ? __mmask16(0xffff) : __mmask16((1u << n) - 1);
    const __m512i context = _mm512_and_si512(_mm512_cvtepu8_epi32(loadLane(contexts)), _mm512_set1_epi32(kRansContexts - 1));
    const __m512i slot = _mm512_and_si512(states, _mm512_set1_epi32((1 << kRansBits) - 1));
    const __m512i entry = _mm512_i32gather_epi32(_mm512_or_si512(slot, _mm512_slli_epi32(context, kRansBits)), table, 4);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(entry));
    const __m512i frequency = _mm512_and_si512(_mm512_srli_epi32(entry, 8), _mm512_set1_epi32(0xfff));
    const __m512i next = _mm512_add_epi32(_mm512_mullo_epi32(frequency, _mm512_srli_epi32(states, kRansBits)),
                                          _mm512_srli_epi32(entry, 20));
    states = _mm512_mask_mov_epi32(states, active, next);
    const __mmask16 low = _mm512_mask_cmplt_epu32_mask(active, states, _mm512_set1_epi32(1 << 16));
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(stream.words)));
    states = _mm512_mask_or_epi32(states, low, _mm512_slli_epi32(states, 16), _mm512_maskz_expand_epi32(low, words));
    stream.words += 2 * size_t(__builtin_popcount(low));
  }
};
#else
struct alignas(32) RansTables {
  uint32_t order[256][8] = {};  // for each set bit how many are set below it
  constexpr RansTables() {
    for (int bits = 0; bits < 256; ++bits) {
      for (uint32_t i = 0, next = 0; i < 8; ++i) order[bits][i] = bits >> i & 1 ? next++ : 0;
    }
  }
};
constexpr RansTables kRans;

struct RansLanes {
  __m256i states[2];
  explicit RansLanes(const RansStream& stream) {
    for (int half = 0; half < 2; ++half) states[half] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(stream.states + 8 * half));
  }
  void keep(RansStream& stream) const {
    for (int half = 0; half < 2; ++half) _mm256_storeu_si256(reinterpret_cast<__m256i*>(stream.states + 8 * half), states[half]);
  }

  void step(RansStream& stream, const RansEntry* table, const uint8_t* contexts, uint32_t n, uint8_t* out) {
    for (uint32_t half = 0; half < 2 && 8 * half < n; ++half) {
      const __m256i state = states[half];
      const __m256i active = _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n - 8 * half)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
      const __m256i context = _mm256_and_si256(
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(contexts + 8 * half))), _mm256_set1_epi32(kRansContexts - 1));
      const __m256i slot = _mm256_and_si256(state, _mm256_set1_epi32((1 << kRansBits) - 1));
      const __m256i entry = _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), _mm256_or_si256(slot, _mm256_slli_epi32(context, kRansBits)), 4);
      const __m256i symbols = _mm256_shuffle_epi8(entry, _mm256_set1_epi32(0x0c080400));
      const uint32_t symbolsLow = uint32_t(_mm256_extract_epi32(symbols, 0)), symbolsHigh = uint32_t(_mm256_extract_epi32(symbols, 4));
      memcpy(out + 8 * half, &symbolsLow, 4);
      memcpy(out + 8 * half + 4, &symbolsHigh, 4);
      const __m256i frequency = _mm256_and_si256(_mm256_srli_epi32(entry, 8), _mm256_set1_epi32(0xfff));
      const __m256i next = _mm256_add_epi32(_mm256_mullo_epi32(frequency, _mm256_srli_epi32(state, kRansBits)), _mm256_srli_epi32(entry, 20));
      const __m256i moved = _mm256_blendv_epi8(state, next, active);
      const __m256i low = _mm256_and_si256(active, _mm256_cmpeq_epi32(_mm256_srli_epi32(moved, 16), _mm256_setzero_si256()));
      const unsigned bits = unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(low)));
      const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(stream.words)));
      const __m256i taken = _mm256_permutevar8x32_epi32(words, _mm256_load_si256(reinterpret_cast<const __m256i*>(kRans.order[bits])));
      states[half] = _mm256_blendv_epi8(moved, _mm256_or_si256(_mm256_slli_epi32(moved, 16), taken), low);
      stream.words += 2 * size_t(__builtin_popcount(bits));
    }
  }
};
#endif

bool ransSymbols(RansStream* streams, size_t count, const RansEntry* table, const uint8_t* const* contexts, const size_t* n,
                 uint8_t* const* out) {
  size_t shared = 0;
  if (count == 2) {
    // Two streams at once: the latency of one's gather hides that of the other's.
    RansLanes a(streams[0]), b(streams[1]);
    const size_t both = n[0] < n[1] ? n[0] : n[1];
    for (; shared + 16 <= both; shared += 16) {
      a.step(streams[0], table, contexts[0] + shared, 16, out[0] + shared);
      b.step(streams[1], table, contexts[1] + shared, 16, out[1] + shared);
      if (streams[0].words > streams[0].end || streams[1].words > streams[1].end) return false;
    }
    a.keep(streams[0]);
    b.keep(streams[1]);
  }
  for (size_t k = 0; k < count; ++k) {
    RansLanes lanes(streams[k]);
    for (size_t i = shared; i < n[k]; i += 16) {
      lanes.step(streams[k], table, contexts[k] + i, n[k] - i < 16 ? uint32_t(n[k] - i) : 16, out[k] + i);
      if (streams[k].words > streams[k].end) return false;
    }
    lanes.keep(streams[k]);
  }
  return true;
}

#else

bool ransSymbols(RansStream* streams, size_t count, const RansEntry* table, const uint8_t* const* contexts, const size_t* n,
                 uint8_t* const* out) {
  return scalar::ransSymbols(streams, count, table, contexts, n, out);
}

#endif

}  // namespace
}  // namespace headrace
