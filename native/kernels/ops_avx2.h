// Register operations of AVX2 and F16C. kernels.inl lists what every ops_*.h defines and what it means.
#pragma once
#include <immintrin.h>

#include "scalar.h"
#include "scalar_dct.h"
#include "scalar_huffman.h"
#include "scalar_pack.h"
#include "scalar_random.h"

namespace headrace {
namespace {

constexpr size_t kLanes = 2;
using Bytes = __m256i;
using Words = __m256i;
using Ints = __m256i;
using Floats = __m256;
using ByteMask = __m256i;

inline __m128i loadLane(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline Bytes joinLanes(const uint8_t* a, const uint8_t* b) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(loadLane(a)), loadLane(b), 1);
}

inline Bytes loadBytes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline void storeBytes(uint8_t* p, Bytes v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
inline void streamBytes(uint8_t* p, Bytes v) { _mm256_stream_si256(reinterpret_cast<__m256i*>(p), v); }
inline void settle() { _mm_sfence(); }
inline Bytes loadLanes(const uint8_t* p, size_t stride) { return joinLanes(p, p + stride); }
inline void storeLanes(uint8_t* p, size_t stride, Bytes v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + stride), _mm256_extracti128_si256(v, 1));
}
inline Bytes loadWindows(const uint8_t* p, const int32_t* at) { return joinLanes(p + at[0], p + at[1]); }
inline Bytes repeatLane(const uint8_t* lane) { return _mm256_broadcastsi128_si256(loadLane(lane)); }
inline Bytes shuffleBytes(Bytes v, Bytes control) { return _mm256_shuffle_epi8(v, control); }
inline ByteMask toMask(Bytes v) { return v; }
inline Bytes selectBytes(ByteMask mask, Bytes set, Bytes clear) { return _mm256_blendv_epi8(clear, set, mask); }
inline Bytes reverseBytes(Bytes v) {
  const __m128i control = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(control)), 0x4e);
}

inline Words asWords(Bytes v) { return v; }
inline Words loadWords(const int16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline Words setWords(int16_t v) { return _mm256_set1_epi16(v); }
inline Words setWordPairs(int16_t even, int16_t odd) {
  return _mm256_set1_epi32(int32_t(uint32_t(uint16_t(even)) | uint32_t(uint16_t(odd)) << 16));
}
inline Words widenBytes(const uint8_t* p) { return _mm256_cvtepu8_epi16(loadLane(p)); }
inline Words addSaturated(Words a, Words b) { return _mm256_adds_epi16(a, b); }
inline Words multiplyRounded(Words a, Words b) { return _mm256_mulhrs_epi16(a, b); }
template <int bits>
inline Words shiftWordsRight(Words v) { return _mm256_srai_epi16(v, bits); }
inline Words zipLow(Words a, Words b) { return _mm256_unpacklo_epi16(a, b); }
inline Words zipHigh(Words a, Words b) { return _mm256_unpackhi_epi16(a, b); }
inline void storeWordsAsBytes(uint8_t* p, Words v) {
  const __m128i packed = _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}

inline Words addWords(Words a, Words b) { return _mm256_add_epi16(a, b); }
inline Words subtractWords(Words a, Words b) { return _mm256_sub_epi16(a, b); }
inline Words multiplyLow(Words a, Words b) { return _mm256_mullo_epi16(a, b); }
inline Words multiplyHigh(Words a, Words b) { return _mm256_mulhi_epi16(a, b); }
template <int bits>
inline Words shiftWordsLeft(Words v) { return _mm256_slli_epi16(v, bits); }
inline void storeWords(int16_t* p, Words v) { storeBytes(reinterpret_cast<uint8_t*>(p), v); }
inline Words zipPairsLow(Words a, Words b) { return _mm256_unpacklo_epi32(a, b); }
inline Words zipPairsHigh(Words a, Words b) { return _mm256_unpackhi_epi32(a, b); }
inline Words zipQuadsLow(Words a, Words b) { return _mm256_unpacklo_epi64(a, b); }
inline Words zipQuadsHigh(Words a, Words b) { return _mm256_unpackhi_epi64(a, b); }
inline Bytes packWords(Words a, Words b) { return _mm256_packs_epi16(a, b); }
inline Bytes packWordsUnsigned(Words a, Words b) { return _mm256_packus_epi16(a, b); }
inline Words evenBytes(Bytes v) { return _mm256_and_si256(v, _mm256_set1_epi16(255)); }
inline Words oddBytes(Bytes v) { return _mm256_srli_epi16(v, 8); }
inline Bytes addBytes(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
inline Bytes setBytes(uint8_t v) { return _mm256_set1_epi8(char(v)); }
inline Bytes wordsAsBytes(Words v) { return v; }
inline Ints wordsAsInts(Words v) { return v; }
inline void storeHalves(uint8_t* p, uint8_t* q, Bytes v) {
  const __m256i sorted = _mm256_permute4x64_epi64(v, 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(sorted));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm256_extracti128_si256(sorted, 1));
}

inline Ints subtractInts(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
inline Ints setInts(int32_t v) { return _mm256_set1_epi32(v); }
inline Ints addInts(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
inline Ints multiplyInts(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
inline Ints xorInts(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
template <int bits>
inline Ints shiftIntsDown(Ints v) { return _mm256_srli_epi32(v, bits); }
inline Ints loadInts(const int32_t* p) { return loadBytes(reinterpret_cast<const uint8_t*>(p)); }
inline void storeInts(uint8_t* p, Ints v) { storeBytes(p, v); }
inline Ints dotPairs(Words a, Words b) { return _mm256_madd_epi16(a, b); }
template <int bits>
inline Ints shiftIntsRight(Ints v) { return _mm256_srai_epi32(v, bits); }
inline Words packZipped(Ints low, Ints high) { return _mm256_packs_epi32(low, high); }
inline void storeBlockAsWords(int16_t* p, const Ints (&v)[2]) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(v[0], v[1]), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
}
inline void storeSums(int32_t* p, Ints a, Ints b, Ints c, Ints d) {
  const __m256i halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), sums);
}

inline Floats loadFloats(const float* p) { return _mm256_loadu_ps(p); }
inline void storeFloats(float* p, Floats v) { _mm256_storeu_ps(p, v); }
inline Floats bytesToFloats(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline Floats multiplyFloats(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats addFloats(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline void storeFloatsAsHalves(uint16_t* p, Floats v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

// ---- 16 bytes at a time, for expand_shuffle.inl

#include "ops_lane_x86.inl"

inline void storeLaneAsWords(int16_t* p, Lane v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), _mm256_cvtepi8_epi16(v));
}
inline void storeLaneAsWords(int16_t* p, Lane v, int16_t first) {
  const __m256i words = _mm256_cvtepi8_epi16(v);
  const __m256i word = _mm256_zextsi128_si256(_mm_cvtsi32_si128(uint16_t(first)));
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), _mm256_or_si256(words, word));
}

}  // namespace
}  // namespace headrace
