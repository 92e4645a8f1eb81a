// Register operations of AVX-512 F, BW, VL and DQ. kernels.inl lists what every ops_*.h defines and what it means.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
// GCC before 13 warns about the deliberately undefined registers in its own header (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#include "scalar.h"
#include "scalar_dct.h"
#include "scalar_huffman.h"
#include "scalar_pack.h"
#include "scalar_random.h"

namespace headrace {
namespace {

constexpr size_t kLanes = 4;
using Bytes = __m512i;
using Words = __m512i;
using Ints = __m512i;
using Floats = __m512;
using ByteMask = __mmask64;

inline __m128i loadLane(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline Bytes joinLanes(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) {
  const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(loadLane(a)), loadLane(b), 1);
  const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(loadLane(c)), loadLane(d), 1);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

inline Bytes loadBytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
inline void storeBytes(uint8_t* p, Bytes v) { _mm512_storeu_si512(p, v); }
inline void streamBytes(uint8_t* p, Bytes v) { _mm512_stream_si512(reinterpret_cast<__m512i*>(p), v); }
inline void settle() { _mm_sfence(); }
inline Bytes loadLanes(const uint8_t* p, size_t stride) {
  return joinLanes(p, p + stride, p + 2 * stride, p + 3 * stride);
}
inline void storeLanes(uint8_t* p, size_t stride, Bytes v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_castsi512_si128(v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + stride), _mm512_extracti32x4_epi32(v, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 2 * stride), _mm512_extracti32x4_epi32(v, 2));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 3 * stride), _mm512_extracti32x4_epi32(v, 3));
}
inline Bytes loadWindows(const uint8_t* p, const int32_t* at) {
  return joinLanes(p + at[0], p + at[1], p + at[2], p + at[3]);
}
inline Bytes repeatLane(const uint8_t* lane) { return _mm512_broadcast_i32x4(loadLane(lane)); }
inline Bytes shuffleBytes(Bytes v, Bytes control) { return _mm512_shuffle_epi8(v, control); }
inline ByteMask toMask(Bytes v) { return _mm512_movepi8_mask(v); }
inline Bytes selectBytes(ByteMask mask, Bytes set, Bytes clear) { return _mm512_mask_blend_epi8(mask, clear, set); }
inline Bytes reverseBytes(Bytes v) {
  const __m128i control = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i reversed = _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(control));
  return _mm512_shuffle_i32x4(reversed, reversed, 0x1b);
}

inline Words asWords(Bytes v) { return v; }
inline Words loadWords(const int16_t* p) { return _mm512_loadu_si512(p); }
inline Words setWords(int16_t v) { return _mm512_set1_epi16(v); }
inline Words setWordPairs(int16_t even, int16_t odd) {
  return _mm512_set1_epi32(int32_t(uint32_t(uint16_t(even)) | uint32_t(uint16_t(odd)) << 16));
}
inline Words widenBytes(const uint8_t* p) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Words addSaturated(Words a, Words b) { return _mm512_adds_epi16(a, b); }
inline Words multiplyRounded(Words a, Words b) { return _mm512_mulhrs_epi16(a, b); }
template <int bits>
inline Words shiftWordsRight(Words v) { return _mm512_srai_epi16(v, bits); }
inline Words zipLow(Words a, Words b) { return _mm512_unpacklo_epi16(a, b); }
inline Words zipHigh(Words a, Words b) { return _mm512_unpackhi_epi16(a, b); }
inline void storeWordsAsBytes(uint8_t* p, Words v) {
  const __m256i packed = _mm512_cvtusepi16_epi8(_mm512_max_epi16(v, _mm512_setzero_si512()));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
}

inline Words addWords(Words a, Words b) { return _mm512_add_epi16(a, b); }
inline Words subtractWords(Words a, Words b) { return _mm512_sub_epi16(a, b); }
inline Words multiplyLow(Words a, Words b) { return _mm512_mullo_epi16(a, b); }
inline Words multiplyHigh(Words a, Words b) { return _mm512_mulhi_epi16(a, b); }
template <int bits>
inline Words shiftWordsLeft(Words v) { return _mm512_slli_epi16(v, bits); }
inline void storeWords(int16_t* p, Words v) { storeBytes(reinterpret_cast<uint8_t*>(p), v); }
inline Words zipPairsLow(Words a, Words b) { return _mm512_unpacklo_epi32(a, b); }
inline Words zipPairsHigh(Words a, Words b) { return _mm512_unpackhi_epi32(a, b); }
inline Words zipQuadsLow(Words a, Words b) { return _mm512_unpacklo_epi64(a, b); }
inline Words zipQuadsHigh(Words a, Words b) { return _mm512_unpackhi_epi64(a, b); }
inline Bytes packWords(Words a, Words b) { return _mm512_packs_epi16(a, b); }
inline Bytes packWordsUnsigned(Words a, Words b) { return _mm512_packus_epi16(a, b); }
inline Words evenBytes(Bytes v) { return _mm512_and_si512(v, _mm512_set1_epi16(255)); }
inline Words oddBytes(Bytes v) { return _mm512_srli_epi16(v, 8); }
inline Bytes addBytes(Bytes a, Bytes b) { return _mm512_add_epi8(a, b); }
inline Bytes setBytes(uint8_t v) { return _mm512_set1_epi8(char(v)); }
inline Bytes wordsAsBytes(Words v) { return v; }
inline Ints wordsAsInts(Words v) { return v; }
inline void storeHalves(uint8_t* p, uint8_t* q, Bytes v) {
  const __m512i sorted = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_castsi512_si256(sorted));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), _mm512_extracti64x4_epi64(sorted, 1));
}

inline Ints subtractInts(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
inline Ints setInts(int32_t v) { return _mm512_set1_epi32(v); }
inline Ints addInts(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
inline Ints multiplyInts(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
inline Ints xorInts(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
template <int bits>
inline Ints shiftIntsDown(Ints v) { return _mm512_srli_epi32(v, bits); }
inline Ints loadInts(const int32_t* p) { return _mm512_loadu_si512(p); }
inline void storeInts(uint8_t* p, Ints v) { storeBytes(p, v); }
inline Ints dotPairs(Words a, Words b) { return _mm512_madd_epi16(a, b); }
template <int bits>
inline Ints shiftIntsRight(Ints v) { return _mm512_srai_epi32(v, bits); }
inline Words packZipped(Ints low, Ints high) { return _mm512_packs_epi32(low, high); }
inline void storeBlockAsWords(int16_t* p, const Ints (&v)[1]) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(v[0]));
}
inline __m256i addHalves(Ints v) {
  return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
}
inline void storeSums(int32_t* p, Ints a, Ints b, Ints c, Ints d) {
  const __m256i ab = _mm256_hadd_epi32(addHalves(a), addHalves(b));
  const __m256i cd = _mm256_hadd_epi32(addHalves(c), addHalves(d));
  const __m256i halves = _mm256_hadd_epi32(ab, cd);
  const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), sums);
}

inline Floats loadFloats(const float* p) { return _mm512_loadu_ps(p); }
inline void storeFloats(float* p, Floats v) { _mm512_storeu_ps(p, v); }
inline Floats bytesToFloats(const uint8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(loadLane(p))); }
inline Floats multiplyFloats(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats addFloats(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline void storeFloatsAsHalves(uint16_t* p, Floats v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

}  // namespace
}  // namespace headrace
