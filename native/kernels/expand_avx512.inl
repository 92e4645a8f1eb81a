// Values and blocks of packed coefficients by AVX-512's expand instructions (VBMI, VBMI2).
// Included after ops_avx512.h; expand_shuffle.inl has the same functions for the other instruction sets.

namespace headrace {
namespace {

// Sixty-four nibbles, one a byte.
inline __m512i loadNibbles(const uint8_t* p) {
  const __m512i pairs = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_and_si512(_mm512_or_si512(pairs, _mm512_slli_epi16(pairs, 4)), _mm512_set1_epi8(15));
}

inline uint64_t lowBits(uint32_t count) { return count >= 64 ? ~uint64_t(0) : (uint64_t(1) << count) - 1; }

// How many of the first n nibbles are 0.
uint32_t countEscapes(const uint8_t* nibbles, size_t n) {
  uint64_t count = 0;
  for (size_t i = 0; i < n; i += 64) {
    const __m512i values = loadNibbles(nibbles + i / 2);
    const uint64_t found = _mm512_testn_epi8_mask(values, values);
    count += uint64_t(__builtin_popcountll(found & lowBits(n - i < 64 ? uint32_t(n - i) : 64)));
  }
  return uint32_t(count);
}

// Values [begin, end) of a strip as int8, those that are escaped taken from `escape` on; the value of an even place
// `begin & ~1` comes first.
void expandValues(const uint8_t* nibbles, uint32_t begin, uint32_t end, const uint8_t* escape, int8_t* out) {
  const __m512i eight = _mm512_set1_epi8(8);
  for (uint32_t i = begin & ~1u; i < end; i += 64, out += 64) {
    __m512i values = loadNibbles(nibbles + i / 2);
    uint64_t escaped = _mm512_testn_epi8_mask(values, values) & lowBits(end - i);
    if (i < begin) escaped &= ~uint64_t(1);
    values = _mm512_sub_epi8(_mm512_xor_si512(values, eight), eight);
    if (escaped != 0) {
      values = _mm512_mask_expand_epi8(values, escaped, _mm512_loadu_si512(escape));
      escape += __builtin_popcountll(escaped);
    }
    _mm512_storeu_si512(out, values);
  }
}

struct alignas(64) ExpandTables {
  uint64_t spread[256] = {};     // byte i is 0xff where bit i is set
  uint8_t scanOf[64] = {};       // scan position of each place in a block
  constexpr ExpandTables() {
    for (int bits = 0; bits < 256; ++bits) {
      for (int i = 0; i < 8; ++i) spread[bits] |= bits >> i & 1 ? uint64_t(0xff) << (8 * i) : 0;
    }
    for (int s = 0; s < 64; ++s) scanOf[scalar::placeOfScan(s)] = uint8_t(s);
  }
};
constexpr ExpandTables kExpand;

// The mask of a block's 64 scan positions from its HDR byte and the mask bytes of the groups that it names.
inline uint64_t spreadMask(unsigned groups, const uint8_t* mask) {
  uint64_t bytes;
  memcpy(&bytes, mask, sizeof bytes);
  return _pdep_u64(bytes, kExpand.spread[groups]);
}

// The block, row by row, that has `values` where the mask has bits, and dc.
inline void placeValues(uint64_t mask, const int8_t* values, int16_t dc, int16_t* block) {
  const __m512i scanned = _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(values));
  const __m512i placed = _mm512_permutexvar_epi8(_mm512_load_si512(kExpand.scanOf), scanned);
  const __m512i upper = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(placed));
  _mm512_store_si512(block, _mm512_or_si512(upper, _mm512_zextsi128_si512(_mm_cvtsi32_si128(uint16_t(dc)))));
  _mm512_store_si512(block + 32, _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(placed, 1)));
}

// Which scan positions of a block are not zero.
inline uint64_t scanMask(const int16_t* block) {
  const __m512i upper = _mm512_loadu_si512(block), lower = _mm512_loadu_si512(block + 32);
  const uint64_t top = _mm512_test_epi16_mask(upper, upper), bottom = _mm512_test_epi16_mask(lower, lower);
  constexpr uint32_t kLeft = 0x0f0f0f0f, kRight = 0xf0f0f0f0;
  return _pext_u64(top, kLeft) | _pext_u64(top, kRight) << 16 | _pext_u64(bottom, kLeft) << 32 | _pext_u64(bottom, kRight) << 48;
}

}  // namespace
}  // namespace headrace
