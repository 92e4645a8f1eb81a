// Register operations of NEON (arm64). kernels.inl lists what every ops_*.h defines and what it means.
#pragma once
#include <arm_neon.h>

#include "scalar.h"
#include "scalar_dct.h"
#include "scalar_huffman.h"
#include "scalar_pack.h"
#include "scalar_random.h"

namespace headrace {
namespace {

constexpr size_t kLanes = 1;
using Bytes = uint8x16_t;
using Words = int16x8_t;
using Ints = int32x4_t;
using Floats = float32x4_t;
using ByteMask = uint8x16_t;

inline Bytes loadBytes(const uint8_t* p) { return vld1q_u8(p); }
inline void storeBytes(uint8_t* p, Bytes v) { vst1q_u8(p, v); }
inline void streamBytes(uint8_t* p, Bytes v) { storeBytes(p, v); }
inline void settle() {}
inline Bytes loadLanes(const uint8_t* p, size_t) { return loadBytes(p); }
inline void storeLanes(uint8_t* p, size_t, Bytes v) { storeBytes(p, v); }
inline Bytes loadWindows(const uint8_t* p, const int32_t* at) { return loadBytes(p + at[0]); }
inline Bytes repeatLane(const uint8_t* lane) { return loadBytes(lane); }
inline Bytes shuffleBytes(Bytes v, Bytes control) { return vqtbl1q_u8(v, control); }
inline ByteMask toMask(Bytes v) { return v; }
inline Bytes selectBytes(ByteMask mask, Bytes set, Bytes clear) { return vbslq_u8(mask, set, clear); }
inline Bytes reverseBytes(Bytes v) {
  const uint8x16_t halves = vrev64q_u8(v);
  return vextq_u8(halves, halves, 8);
}

inline Words asWords(Bytes v) { return vreinterpretq_s16_u8(v); }
inline Words loadWords(const int16_t* p) { return vld1q_s16(p); }
inline Words setWords(int16_t v) { return vdupq_n_s16(v); }
inline Words setWordPairs(int16_t even, int16_t odd) {
  return vreinterpretq_s16_u32(vdupq_n_u32(uint32_t(uint16_t(even)) | uint32_t(uint16_t(odd)) << 16));
}
inline Words widenBytes(const uint8_t* p) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))); }
inline Words addSaturated(Words a, Words b) { return vqaddq_s16(a, b); }
inline Words multiplyRounded(Words a, Words b) { return vqrdmulhq_s16(a, b); }
template <int bits>
inline Words shiftWordsRight(Words v) { return vshrq_n_s16(v, bits); }
inline Words zipLow(Words a, Words b) { return vzip1q_s16(a, b); }
inline Words zipHigh(Words a, Words b) { return vzip2q_s16(a, b); }
inline void storeWordsAsBytes(uint8_t* p, Words v) { vst1_u8(p, vqmovun_s16(v)); }

inline Words addWords(Words a, Words b) { return vaddq_s16(a, b); }
inline Words subtractWords(Words a, Words b) { return vsubq_s16(a, b); }
inline Words multiplyLow(Words a, Words b) { return vmulq_s16(a, b); }
inline Words multiplyHigh(Words a, Words b) {
  return vshrn_high_n_s32(vshrn_n_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), 16), vmull_high_s16(a, b), 16);
}
template <int bits>
inline Words shiftWordsLeft(Words v) { return vshlq_n_s16(v, bits); }
inline void storeWords(int16_t* p, Words v) { vst1q_s16(p, v); }
inline Words zipPairsLow(Words a, Words b) { return vreinterpretq_s16_s32(vzip1q_s32(vreinterpretq_s32_s16(a), vreinterpretq_s32_s16(b))); }
inline Words zipPairsHigh(Words a, Words b) { return vreinterpretq_s16_s32(vzip2q_s32(vreinterpretq_s32_s16(a), vreinterpretq_s32_s16(b))); }
inline Words zipQuadsLow(Words a, Words b) { return vreinterpretq_s16_s64(vzip1q_s64(vreinterpretq_s64_s16(a), vreinterpretq_s64_s16(b))); }
inline Words zipQuadsHigh(Words a, Words b) { return vreinterpretq_s16_s64(vzip2q_s64(vreinterpretq_s64_s16(a), vreinterpretq_s64_s16(b))); }
inline Bytes packWords(Words a, Words b) { return vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(a), b)); }
inline Bytes packWordsUnsigned(Words a, Words b) { return vqmovun_high_s16(vqmovun_s16(a), b); }
inline Words evenBytes(Bytes v) { return vreinterpretq_s16_u16(vandq_u16(vreinterpretq_u16_u8(v), vdupq_n_u16(255))); }
inline Words oddBytes(Bytes v) { return vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_u8(v), 8)); }
inline Bytes addBytes(Bytes a, Bytes b) { return vaddq_u8(a, b); }
inline Bytes setBytes(uint8_t v) { return vdupq_n_u8(v); }
inline Bytes wordsAsBytes(Words v) { return vreinterpretq_u8_s16(v); }
inline Ints wordsAsInts(Words v) { return vreinterpretq_s32_s16(v); }
inline void storeHalves(uint8_t* p, uint8_t* q, Bytes v) {
  vst1_u8(p, vget_low_u8(v));
  vst1_u8(q, vget_high_u8(v));
}

inline Ints subtractInts(Ints a, Ints b) { return vsubq_s32(a, b); }
inline Ints setInts(int32_t v) { return vdupq_n_s32(v); }
inline Ints addInts(Ints a, Ints b) { return vaddq_s32(a, b); }
inline Ints multiplyInts(Ints a, Ints b) { return vmulq_s32(a, b); }
inline Ints xorInts(Ints a, Ints b) { return veorq_s32(a, b); }
template <int bits>
inline Ints shiftIntsDown(Ints v) { return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), bits)); }
inline Ints loadInts(const int32_t* p) { return vld1q_s32(p); }
inline void storeInts(uint8_t* p, Ints v) { vst1q_u8(p, vreinterpretq_u8_s32(v)); }
inline Ints dotPairs(Words a, Words b) {
  return vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b));
}
template <int bits>
inline Ints shiftIntsRight(Ints v) { return vshrq_n_s32(v, bits); }
inline Words packZipped(Ints low, Ints high) { return vqmovn_high_s32(vqmovn_s32(low), high); }
inline void storeBlockAsWords(int16_t* p, const Ints (&v)[4]) {
  vst1q_s16(p, packZipped(v[0], v[1]));
  vst1q_s16(p + 8, packZipped(v[2], v[3]));
}
inline void storeSums(int32_t* p, Ints a, Ints b, Ints c, Ints d) {
  vst1q_s32(p, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
}

inline Floats loadFloats(const float* p) { return vld1q_f32(p); }
inline void storeFloats(float* p, Floats v) { vst1q_f32(p, v); }
inline Floats bytesToFloats(const uint8_t* p) {
  uint32_t four;
  memcpy(&four, p, sizeof four);
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}
inline Floats multiplyFloats(Floats a, Floats b) { return vmulq_f32(a, b); }
inline Floats addFloats(Floats a, Floats b) { return vaddq_f32(a, b); }
inline void storeFloatsAsHalves(uint16_t* p, Floats v) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v))); }

// ---- 16 bytes at a time, for expand_shuffle.inl

using Lane = uint8x16_t;
inline Lane loadLane(const uint8_t* p) { return vld1q_u8(p); }
inline void storeLane(uint8_t* p, Lane v) { vst1q_u8(p, v); }
inline Lane setLane(uint8_t v) { return vdupq_n_u8(v); }
inline Lane loadHalves(const uint8_t* p, const uint8_t* q) { return vcombine_u8(vld1_u8(p), vld1_u8(q)); }
inline Lane loadNibbles(const uint8_t* p) {
  const uint8x8_t pairs = vld1_u8(p);
  const uint8x8x2_t zipped = vzip_u8(vand_u8(pairs, vdup_n_u8(15)), vshr_n_u8(pairs, 4));
  return vcombine_u8(zipped.val[0], zipped.val[1]);
}
inline Lane shuffleLane(Lane v, Lane control) { return vqtbl1q_u8(v, control); }
inline Lane selectByControl(Lane control, Lane set, Lane clear) {
  return vbslq_u8(vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(control), 7)), set, clear);
}
inline Lane addLanes(Lane a, Lane b) { return vaddq_u8(a, b); }
inline unsigned equalBits(Lane a, Lane b) {
  const uint8x8_t weights = vcreate_u8(0x8040201008040201u);
  const uint8x16_t found = vandq_u8(vceqq_u8(a, b), vcombine_u8(weights, weights));
  return unsigned(vaddv_u8(vget_low_u8(found))) | unsigned(vaddv_u8(vget_high_u8(found))) << 8;
}
inline Lane packLane(const int16_t* p) {
  return vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(vld1q_s16(p)), vld1q_s16(p + 8)));
}
inline Lane evenLaneInts(Lane a, Lane b) {
  return vreinterpretq_u8_u32(vuzp1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
inline Lane oddLaneInts(Lane a, Lane b) {
  return vreinterpretq_u8_u32(vuzp2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
inline Lane zipLaneIntsLow(Lane a, Lane b) {
  return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
inline Lane zipLaneIntsHigh(Lane a, Lane b) {
  return vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
inline void storeLaneAsWords(int16_t* p, Lane v) {
  vst1q_s16(p, vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(v))));
  vst1q_s16(p + 8, vmovl_s8(vget_high_s8(vreinterpretq_s8_u8(v))));
}
inline void storeLaneAsWords(int16_t* p, Lane v, int16_t first) {
  vst1q_s16(p, vsetq_lane_s16(first, vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(v))), 0));
  vst1q_s16(p + 8, vmovl_s8(vget_high_s8(vreinterpretq_s8_u8(v))));
}

}  // namespace
}  // namespace headrace
