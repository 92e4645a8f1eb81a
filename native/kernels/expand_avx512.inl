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

// Blocks that are transformed side by side.
struct BlockGroup {
  uint64_t masks[kLanes];
  const int8_t* values[kLanes];  // of each block, narrow ones
  int16_t dc[kLanes];
};

// A block in scan order is sixteen pieces of four coefficients: row r of quadrant q is piece 4q + r.
struct alignas(64) GatherTables {
  uint32_t pairs[2][16] = {};  // of two blocks, rows 0..3 and 4..7: each row of the first, then of the second
  uint64_t rows[2][8] = {};    // of two pairs of blocks, rows 0 and 1, 2 and 3 of those: each row of all four
  constexpr GatherTables() {
    for (uint32_t half = 0; half < 2; ++half) {
      for (uint32_t i = 0; i < 16; ++i) {
        const uint32_t row = i / 4, block = i / 2 % 2, right = i % 2;
        pairs[half][i] = 16 * block + 4 * (2 * half + right) + row;
      }
      for (uint32_t i = 0; i < 8; ++i) rows[half][i] = 8 * (i / 2 % 2) + 4 * half + 2 * (i / 4) + i % 2;
    }
  }
};
constexpr GatherTables kGather;

// Row i of the blocks in x[i].
inline void gatherRows(const BlockGroup& group, Words* x) {
  __m512i scanned[4];
  for (size_t lane = 0; lane < 4; ++lane) scanned[lane] = _mm512_maskz_expand_epi8(group.masks[lane], _mm512_loadu_si512(group.values[lane]));
  for (size_t half = 0; half < 2; ++half) {
    const __m512i order = _mm512_load_si512(kGather.pairs[half]);
    const __m512i left = _mm512_permutex2var_epi32(scanned[0], order, scanned[1]), right = _mm512_permutex2var_epi32(scanned[2], order, scanned[3]);
    for (size_t two = 0; two < 2; ++two) {
      const __m512i rows = _mm512_permutex2var_epi64(left, _mm512_load_si512(kGather.rows[two]), right);
      x[4 * half + 2 * two] = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(rows));
      x[4 * half + 2 * two + 1] = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(rows, 1));
    }
  }
  uint64_t dc;
  memcpy(&dc, group.dc, sizeof dc);
  x[0] = _mm512_or_si512(x[0], _mm512_maskz_expand_epi16(0x01010101, _mm512_zextsi128_si512(_mm_cvtsi64_si128(int64_t(dc)))));
}

// Words of two registers as signed bytes, saturated.
inline __m512i narrowWords(__m512i low, __m512i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtsepi16_epi8(low)), _mm512_cvtsepi16_epi8(high), 1);
}

struct alignas(64) PackTables {
  uint16_t places[64] = {};  // of each scan position, for two registers of words
  constexpr PackTables() {
    for (int s = 0; s < 64; ++s) places[s] = uint16_t(scalar::placeOfScan(s));
  }
};
constexpr PackTables kPack;

bool packBlocks(const int16_t* blocks, size_t n, const uint16_t* table, PackedSections& to) {
  const __m512i firstPlaces = _mm512_load_si512(kPack.places), lastPlaces = _mm512_load_si512(kPack.places + 32);
  const __m512i upperTable = _mm512_loadu_si512(table), lowerTable = _mm512_loadu_si512(table + 32);
  const bool signedTable = _mm512_movepi16_mask(upperTable) == 0 && _mm512_movepi16_mask(lowerTable) == 0;
  const __m512i most = _mm512_set1_epi16(scalar::kMaxAc), widest = _mm512_set1_epi16(127);
  for (size_t i = 0; i < n; ++i, blocks += 64) {
    const __m512i upper = _mm512_loadu_si512(blocks), lower = _mm512_loadu_si512(blocks + 32);
    const __m512i upperSize = _mm512_abs_epi16(upper), lowerSize = _mm512_abs_epi16(lower);
    const __m512i first = _mm512_permutex2var_epi16(upper, firstPlaces, lower), last = _mm512_permutex2var_epi16(upper, lastPlaces, lower);
    const uint64_t mask = (_mm512_test_epi16_mask(first, first) | uint64_t(_mm512_test_epi16_mask(last, last)) << 32) & ~uint64_t(1);
    // Values of two bytes are rare, and so are blocks whose sums have to be looked at one by one.
    const __m512i sums = _mm512_add_epi32(_mm512_madd_epi16(upperSize, upperTable), _mm512_madd_epi16(lowerSize, lowerTable));
    const __mmask32 upperWide = _mm512_cmpgt_epu16_mask(upperSize, widest) & ~1u,
                    lowerWide = _mm512_cmpgt_epu16_mask(lowerSize, widest);
    const bool large = (_mm512_cmpgt_epu16_mask(upperSize, most) | _mm512_cmpgt_epu16_mask(lowerSize, most)) != 0;
    if (upperWide != 0 || lowerWide != 0 || large || !signedTable || _mm512_reduce_add_epi32(sums) > scalar::kMaxColumnPair) {
      if (!scalar::packBlock(blocks, mask, table, to)) return false;
      continue;
    }
    const __m512i bytes = narrowWords(first, last), eight = _mm512_set1_epi8(8);
    const uint64_t narrow = _mm512_cmplt_epu8_mask(_mm512_add_epi8(bytes, eight), _mm512_set1_epi8(16)), escaped = mask & ~narrow;
    const uint64_t groups = _mm512_cmpneq_epi8_mask(_mm512_zextsi128_si512(_mm_cvtsi64_si128(int64_t(mask))), _mm512_setzero_si512());
    const uint64_t masks = _pext_u64(mask, kExpand.spread[groups]);
    memcpy(to.mask, &masks, sizeof masks);
    to.mask += __builtin_popcountll(groups);
    *to.hdr++ = uint8_t(groups);
    _mm512_storeu_si512(to.values, _mm512_maskz_compress_epi8(mask, _mm512_and_si512(_mm512_maskz_mov_epi8(narrow, bytes), _mm512_set1_epi8(15))));
    to.values += __builtin_popcountll(mask);
    _mm512_storeu_si512(to.escapes, _mm512_maskz_compress_epi8(escaped, bytes));
    to.escapes += __builtin_popcountll(escaped);
  }
  return true;
}

}  // namespace
}  // namespace headrace
