// Register operations of SSE4.1. kernels.inl lists what every ops_*.h defines and what it means.
#pragma once
#include <smmintrin.h>

#include "scalar.h"
#include "scalar_dct.h"
#include "scalar_huffman.h"
#include "scalar_pack.h"
#include "scalar_random.h"

namespace headrace {
namespace {

constexpr size_t kLanes = 1;
using Bytes = __m128i;
using Words = __m128i;
using Ints = __m128i;
using Floats = __m128;
using ByteMask = __m128i;

inline Bytes loadBytes(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline void storeBytes(uint8_t* p, Bytes v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
inline void streamBytes(uint8_t* p, Bytes v) { _mm_stream_si128(reinterpret_cast<__m128i*>(p), v); }
inline void settle() { _mm_sfence(); }
inline Bytes loadLanes(const uint8_t* p, size_t) { return loadBytes(p); }
inline void storeLanes(uint8_t* p, size_t, Bytes v) { storeBytes(p, v); }
inline Bytes loadWindows(const uint8_t* p, const int32_t* at) { return loadBytes(p + at[0]); }
inline Bytes repeatLane(const uint8_t* lane) { return loadBytes(lane); }
inline Bytes shuffleBytes(Bytes v, Bytes control) { return _mm_shuffle_epi8(v, control); }
inline ByteMask toMask(Bytes v) { return v; }
inline Bytes selectBytes(ByteMask mask, Bytes set, Bytes clear) { return _mm_blendv_epi8(clear, set, mask); }
inline Bytes reverseBytes(Bytes v) {
  return _mm_shuffle_epi8(v, _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}

inline Words asWords(Bytes v) { return v; }
inline Words loadWords(const int16_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline Words setWords(int16_t v) { return _mm_set1_epi16(v); }
inline Words setWordPairs(int16_t even, int16_t odd) {
  return _mm_set1_epi32(int32_t(uint32_t(uint16_t(even)) | uint32_t(uint16_t(odd)) << 16));
}
inline Words widenBytes(const uint8_t* p) {
  return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline Words addSaturated(Words a, Words b) { return _mm_adds_epi16(a, b); }
inline Words multiplyRounded(Words a, Words b) { return _mm_mulhrs_epi16(a, b); }
template <int bits>
inline Words shiftWordsRight(Words v) { return _mm_srai_epi16(v, bits); }
inline Words zipLow(Words a, Words b) { return _mm_unpacklo_epi16(a, b); }
inline Words zipHigh(Words a, Words b) { return _mm_unpackhi_epi16(a, b); }
inline void storeWordsAsBytes(uint8_t* p, Words v) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(v, v));
}

inline Words addWords(Words a, Words b) { return _mm_add_epi16(a, b); }
inline Words subtractWords(Words a, Words b) { return _mm_sub_epi16(a, b); }
inline Words multiplyLow(Words a, Words b) { return _mm_mullo_epi16(a, b); }
inline Words multiplyHigh(Words a, Words b) { return _mm_mulhi_epi16(a, b); }
template <int bits>
inline Words shiftWordsLeft(Words v) { return _mm_slli_epi16(v, bits); }
inline void storeWords(int16_t* p, Words v) { storeBytes(reinterpret_cast<uint8_t*>(p), v); }
inline Words zipPairsLow(Words a, Words b) { return _mm_unpacklo_epi32(a, b); }
inline Words zipPairsHigh(Words a, Words b) { return _mm_unpackhi_epi32(a, b); }
inline Words zipQuadsLow(Words a, Words b) { return _mm_unpacklo_epi64(a, b); }
inline Words zipQuadsHigh(Words a, Words b) { return _mm_unpackhi_epi64(a, b); }
inline Bytes packWords(Words a, Words b) { return _mm_packs_epi16(a, b); }
inline Bytes packWordsUnsigned(Words a, Words b) { return _mm_packus_epi16(a, b); }
inline Words evenBytes(Bytes v) { return _mm_and_si128(v, _mm_set1_epi16(255)); }
inline Words oddBytes(Bytes v) { return _mm_srli_epi16(v, 8); }
inline Bytes addBytes(Bytes a, Bytes b) { return _mm_add_epi8(a, b); }
inline Bytes setBytes(uint8_t v) { return _mm_set1_epi8(char(v)); }
inline Bytes wordsAsBytes(Words v) { return v; }
inline Ints wordsAsInts(Words v) { return v; }
inline void storeHalves(uint8_t* p, uint8_t* q, Bytes v) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(q), _mm_unpackhi_epi64(v, v));
}

inline Ints subtractInts(Ints a, Ints b) { return _mm_sub_epi32(a, b); }
inline Ints setInts(int32_t v) { return _mm_set1_epi32(v); }
inline Ints addInts(Ints a, Ints b) { return _mm_add_epi32(a, b); }
inline Ints multiplyInts(Ints a, Ints b) { return _mm_mullo_epi32(a, b); }
inline Ints xorInts(Ints a, Ints b) { return _mm_xor_si128(a, b); }
template <int bits>
inline Ints shiftIntsDown(Ints v) { return _mm_srli_epi32(v, bits); }
inline Ints loadInts(const int32_t* p) { return loadBytes(reinterpret_cast<const uint8_t*>(p)); }
inline void storeInts(uint8_t* p, Ints v) { storeBytes(p, v); }
inline Ints dotPairs(Words a, Words b) { return _mm_madd_epi16(a, b); }
template <int bits>
inline Ints shiftIntsRight(Ints v) { return _mm_srai_epi32(v, bits); }
inline Words packZipped(Ints low, Ints high) { return _mm_packs_epi32(low, high); }
inline void storeBlockAsWords(int16_t* p, const Ints (&v)[4]) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(v[0], v[1]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm_packs_epi32(v[2], v[3]));
}
inline void storeSums(int32_t* p, Ints a, Ints b, Ints c, Ints d) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, d)));
}

inline Floats loadFloats(const float* p) { return _mm_loadu_ps(p); }
inline void storeFloats(float* p, Floats v) { _mm_storeu_ps(p, v); }
inline Floats bytesToFloats(const uint8_t* p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
}
inline Floats multiplyFloats(Floats a, Floats b) { return _mm_mul_ps(a, b); }
inline Floats addFloats(Floats a, Floats b) { return _mm_add_ps(a, b); }
inline void storeFloatsAsHalves(uint16_t* p, Floats v) {
  float four[4];
  _mm_storeu_ps(four, v);
  for (int i = 0; i < 4; ++i) p[i] = scalar::toHalf(four[i]);
}

// ---- 16 bytes at a time, for expand_shuffle.inl

#include "ops_lane_x86.inl"

inline Lane loadLane(const uint8_t* p) { return loadBytes(p); }
inline void storeLaneAsWords(int16_t* p, Lane v) {
  _mm_store_si128(reinterpret_cast<__m128i*>(p), _mm_cvtepi8_epi16(v));
  _mm_store_si128(reinterpret_cast<__m128i*>(p + 8), _mm_cvtepi8_epi16(_mm_srli_si128(v, 8)));
}
inline void storeLaneAsWords(int16_t* p, Lane v, int16_t first) {
  _mm_store_si128(reinterpret_cast<__m128i*>(p), _mm_insert_epi16(_mm_cvtepi8_epi16(v), first, 0));
  _mm_store_si128(reinterpret_cast<__m128i*>(p + 8), _mm_cvtepi8_epi16(_mm_srli_si128(v, 8)));
}

}  // namespace
}  // namespace headrace
