// Register operations on 16 bytes of SSE4.1, for expand_shuffle.inl, which lists them. AVX2 has the same ones: its own
// shuffles do not cross 16 bytes either. Included by an ops_*.h inside its namespaces.

using Lane = __m128i;
inline void storeLane(uint8_t* p, Lane v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
inline Lane setLane(uint8_t v) { return _mm_set1_epi8(char(v)); }
inline Lane loadHalves(const uint8_t* p, const uint8_t* q) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)),
                            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(q)));
}
inline Lane loadNibbles(const uint8_t* p) {
  const __m128i pairs = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm_and_si128(_mm_unpacklo_epi8(pairs, _mm_srli_epi16(pairs, 4)), _mm_set1_epi8(15));
}
inline Lane shuffleLane(Lane v, Lane control) { return _mm_shuffle_epi8(v, control); }
inline Lane selectByControl(Lane control, Lane set, Lane clear) { return _mm_blendv_epi8(clear, set, control); }
inline Lane addLanes(Lane a, Lane b) { return _mm_add_epi8(a, b); }
inline unsigned equalBits(Lane a, Lane b) { return unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b))); }
inline Lane packLane(const int16_t* p) {
  const __m128i* words = reinterpret_cast<const __m128i*>(p);
  return _mm_packs_epi16(_mm_loadu_si128(words), _mm_loadu_si128(words + 1));
}
inline Lane evenLaneInts(Lane a, Lane b) {
  return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0x88));
}
inline Lane oddLaneInts(Lane a, Lane b) {
  return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0xdd));
}
inline Lane zipLaneIntsLow(Lane a, Lane b) { return _mm_unpacklo_epi32(a, b); }
inline Lane zipLaneIntsHigh(Lane a, Lane b) { return _mm_unpackhi_epi32(a, b); }
