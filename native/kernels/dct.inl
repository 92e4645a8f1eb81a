// Packed coefficients to samples over the operations of one instruction set: see kernels.inl for the operations and its
// hazard, expand_*.inl for values and blocks, scalar_dct.h for the reference.

namespace headrace {
namespace {

// ---- inverse DCT of kLanes blocks at a time; row i of the blocks in one register, a block a lane

struct Wide {  // 32-bit values of the words of one register
  Ints low, high;
};
inline Wide zip(Words a, Words b) { return {wordsAsInts(zipLow(a, b)), wordsAsInts(zipHigh(a, b))}; }
inline Wide operator+(Wide a, Wide b) { return {addInts(a.low, b.low), addInts(a.high, b.high)}; }
inline Wide operator-(Wide a, Wide b) { return {subtractInts(a.low, b.low), subtractInts(a.high, b.high)}; }
// a * even + b * odd
inline Wide dot(Words a, Words b, int even, int odd) {
  const Words factors = setWordPairs(int16_t(even), int16_t(odd));
  return {dotPairs(zipLow(a, b), factors), dotPairs(zipHigh(a, b), factors)};
}
// v * 8192
inline Wide scaled(Words v) {
  const Wide upper = zip(setWords(0), v);
  return {shiftIntsRight<3>(upper.low), shiftIntsRight<3>(upper.high)};
}
template <int shift>
inline Words descaled(Wide v) { return packZipped(shiftIntsRight<shift>(v.low), shiftIntsRight<shift>(v.high)); }

// jidctint.c's constants in 1/8192
constexpr int k0298 = 2446, k0390 = 3196, k0541 = 4433, k0765 = 6270, k0899 = 7373, k1175 = 9633, k1501 = 12299,
              k1847 = 15137, k1961 = 16069, k2053 = 16819, k2562 = 20995, k3072 = 25172;

// One dimension. half: inputs 4..7 are zero. Factors of one input are added up beforehand, and the rounding rides on the
// even part: the same sums, for they are taken modulo 2^32.
template <int shift, bool half>
[[gnu::always_inline]] inline void inverseDct(Words* x) {
  const Ints rounding = setInts(1 << (shift - 1));
  const Wide round = {rounding, rounding};
  Wide p0, p1, p2, p3, y0, y1, y2, y3;
  if constexpr (half) {
    const Wide t0 = scaled(x[0]) + round;
    const Wide t3 = dot(x[2], x[2], k0541 + k0765, 0), t2 = dot(x[2], x[2], k0541, 0);
    p0 = t0 + t3, p3 = t0 - t3, p1 = t0 + t2, p2 = t0 - t2;
    y0 = dot(x[3], x[1], k1175 - k1961, k1175 - k0899);
    y1 = dot(x[3], x[1], k1175 - k2562, k1175 - k0390);
    y2 = dot(x[3], x[1], k1175 - k1961 + k3072 - k2562, k1175);
    y3 = dot(x[3], x[1], k1175, k1175 - k0390 + k1501 - k0899);
  } else {
    const Wide t0 = scaled(addWords(x[0], x[4])) + round, t1 = scaled(subtractWords(x[0], x[4])) + round;
    const Wide t3 = dot(x[2], x[6], k0541 + k0765, k0541), t2 = dot(x[2], x[6], k0541, k0541 - k1847);
    p0 = t0 + t3, p3 = t0 - t3, p1 = t1 + t2, p2 = t1 - t2;
    const Words s3 = addWords(x[7], x[3]), s4 = addWords(x[5], x[1]);
    const Wide z3 = dot(s3, s4, k1175 - k1961, k1175), z4 = dot(s3, s4, k1175, k1175 - k0390);
    y0 = dot(x[7], x[1], k0298 - k0899, -k0899) + z3;
    y3 = dot(x[7], x[1], -k0899, k1501 - k0899) + z4;
    y1 = dot(x[5], x[3], k2053 - k2562, -k2562) + z4;
    y2 = dot(x[5], x[3], -k2562, k3072 - k2562) + z3;
  }
  x[0] = descaled<shift>(p0 + y3), x[7] = descaled<shift>(p0 - y3);
  x[1] = descaled<shift>(p1 + y2), x[6] = descaled<shift>(p1 - y2);
  x[2] = descaled<shift>(p2 + y1), x[5] = descaled<shift>(p2 - y1);
  x[3] = descaled<shift>(p3 + y0), x[4] = descaled<shift>(p3 - y0);
}

[[gnu::always_inline]] inline void transpose(Words* x) {
  const Words a0 = zipLow(x[0], x[1]), a1 = zipHigh(x[0], x[1]), a2 = zipLow(x[2], x[3]), a3 = zipHigh(x[2], x[3]);
  const Words a4 = zipLow(x[4], x[5]), a5 = zipHigh(x[4], x[5]), a6 = zipLow(x[6], x[7]), a7 = zipHigh(x[6], x[7]);
  const Words b0 = zipPairsLow(a0, a2), b1 = zipPairsHigh(a0, a2), b2 = zipPairsLow(a1, a3), b3 = zipPairsHigh(a1, a3);
  const Words b4 = zipPairsLow(a4, a6), b5 = zipPairsHigh(a4, a6), b6 = zipPairsLow(a5, a7), b7 = zipPairsHigh(a5, a7);
  x[0] = zipQuadsLow(b0, b4), x[1] = zipQuadsHigh(b0, b4), x[2] = zipQuadsLow(b1, b5), x[3] = zipQuadsHigh(b1, b5);
  x[4] = zipQuadsLow(b2, b6), x[5] = zipQuadsHigh(b2, b6), x[6] = zipQuadsLow(b3, b7), x[7] = zipQuadsHigh(b3, b7);
}

struct Dequantiser {
  Words row[8];
  int16_t dc;
  explicit Dequantiser(const uint16_t* table) : dc(int16_t(table[0])) {
    for (int i = 0; i < 8; ++i) row[i] = asWords(repeatLane(reinterpret_cast<const uint8_t*>(table + 8 * i)));
  }
};

// The rows of the blocks of a group to samples. lowRows, lowColumns: rows, columns 4..7 of all of them are zero.
template <bool lowRows, bool lowColumns>
void transform(Words* x, const Dequantiser& by, uint8_t* out, size_t stride) {
  for (int i = 0; i < (lowRows ? 4 : 8); ++i) x[i] = multiplyLow(x[i], by.row[i]);
  inverseDct<11, lowRows>(x);
  transpose(x);
  inverseDct<18, lowColumns>(x);
  transpose(x);
  for (int i = 0; i < 8; i += 2) {
    storeHalves(out + size_t(i) * stride, out + size_t(i + 1) * stride, addBytes(packWords(x[i], x[i + 1]), setBytes(128)));
  }
}

// Blocks of one grey each.
void fillBlocks(const BlockGroup& group, const Dequantiser& by, uint8_t* out, size_t stride) {
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const int32_t dc = int16_t(uint16_t(uint32_t(uint16_t(group.dc[lane])) * uint16_t(by.dc)));
    const int32_t grey = (scalar::clampTo(4 * dc, INT16_MIN, INT16_MAX) + 16) >> 5;
    const uint64_t eight = 0x0101010101010101u * uint8_t(scalar::clampTo(grey + 128, 0, 255));
    for (size_t row = 0; row < 8; ++row) memcpy(out + row * stride + 8 * lane, &eight, sizeof eight);
  }
}

// ---- strips

// HDR bits of groups in the lower half of the block, and in its right half.
constexpr unsigned kLowerHalf = 0xf0, kRightHalf = 0xcc;

// Row i of the blocks, where some may have wide values: taken from the strip, through memory.
void gatherWide(const BlockGroup& group, const PackedStrip& strip, uint32_t& wideAc, Words* x) {
  alignas(64) int16_t blocks[kLanes * 64];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    int16_t* block = blocks + 64 * lane;
    placeValues(group.masks[lane], group.values[lane], group.dc[lane], block);
    const int8_t* narrow = group.values[lane];
    for (uint64_t rest = group.masks[lane]; rest != 0; rest &= rest - 1, ++narrow) {
      if (*narrow == -128) block[scalar::placeOfScan(__builtin_ctzll(rest))] = scalar::wideAt(strip.wides, wideAc++);
    }
  }
  for (int i = 0; i < 8; ++i) x[i] = asWords(loadLanes(reinterpret_cast<const uint8_t*>(blocks + 8 * i), 128));
}

bool decodeStrip(const PackedStrip& strip, uint32_t first, uint32_t last, const uint16_t* table, int8_t* values,
                 uint8_t* out, size_t stride) {
  scalar::StripCursor at;
  scalar::enterStrip(strip, first, last, countEscapes, at);
  expandValues(strip.nibbles, at.value, at.value + at.values, strip.escapes + at.escape, values);
  const Dequantiser dequantiser(table);
  const int8_t* value = values + (at.value & 1);
  for (uint32_t block = first; block < last; block += kLanes, out += 8 * kLanes) {
    BlockGroup group;
    unsigned hdr = 0;
    uint64_t all = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      group.values[lane] = value;
      const uint32_t i = block + uint32_t(lane);
      if (kLanes > 1 && i >= last) {
        group.masks[lane] = 0;
        group.dc[lane] = 0;
        continue;
      }
      at.dc += strip.dc[i] != 0x80 ? int8_t(strip.dc[i]) : scalar::wideAt(strip.wides, at.wideDc++);
      group.dc[lane] = int16_t(uint16_t(at.dc));
      hdr |= strip.hdr[i];
      const uint64_t mask = group.masks[lane] = spreadMask(strip.hdr[i], at.mask);
      all |= mask;
      at.mask += scalar::bitsIn(strip.hdr[i]);
      value += __builtin_popcountll(mask);
    }
    if (all & 1) return false;
    if (hdr == 0) {
      fillBlocks(group, dequantiser, out, stride);
      continue;
    }
    Words x[8];
    if (at.wideAc < strip.wideCount)
      gatherWide(group, strip, at.wideAc, x);
    else
      gatherRows(group, x);
    if (hdr & kLowerHalf)
      (hdr & kRightHalf ? transform<false, false> : transform<false, true>)(x, dequantiser, out, stride);
    else
      (hdr & kRightHalf ? transform<true, false> : transform<true, true>)(x, dequantiser, out, stride);
  }
  return true;
}

// Bytes of words that hold one nibble in each half.
void joinNibbles(const uint8_t* values, size_t n, uint8_t* out) {
  size_t i = 0;
  for (; i + kBytes <= n; i += kBytes) {
    const Bytes pairs = loadBytes(values + i);
    const Words joined = addWords(evenBytes(pairs), shiftWordsLeft<4>(oddBytes(pairs)));
    storeWordsAsBytes(out + i / 2, joined);
  }
  scalar::joinNibbles(values + i, n - i, out + i / 2);
}

// ---- upsampling and colour

inline Words triple(Words v) { return addWords(v, addWords(v, v)); }
// Bytes even[0] odd[0] even[1] ...; values of 0 .. 255
inline void storeAlternating(uint8_t* out, Words even, Words odd) {
  storeBytes(out, wordsAsBytes(addWords(even, shiftWordsLeft<8>(odd))));
}

void upsample2x1(const uint8_t* in, size_t n, uint8_t* out) {
  const Words one = setWords(1), two = setWords(2);
  for (size_t i = 0; i < n; i += kWords) {
    const Words middle = triple(widenBytes(in + i));
    const Words even = shiftWordsRight<2>(addWords(addWords(middle, one), widenBytes(in + i - 1)));
    const Words odd = shiftWordsRight<2>(addWords(addWords(middle, two), widenBytes(in + i + 1)));
    storeAlternating(out + 2 * i, even, odd);
  }
}

void upsample1x2(const uint8_t* near, const uint8_t* far, int bias, size_t n, uint8_t* out) {
  const Words rounding = setWords(int16_t(bias));
  for (size_t i = 0; i < n; i += kWords) {
    const Words sum = addWords(addWords(triple(widenBytes(near + i)), rounding), widenBytes(far + i));
    storeWordsAsBytes(out + i, shiftWordsRight<2>(sum));
  }
}

void upsample2x2(const uint8_t* near, const uint8_t* far, size_t n, uint8_t* out) {
  // The sums of the neighbours are made again rather than kept: reading them back one place off would wait for the stores.
  const auto sum = [&](const uint8_t* a, const uint8_t* b) { return addWords(triple(widenBytes(a)), widenBytes(b)); };
  const Words eight = setWords(8), seven = setWords(7);
  for (size_t i = 0; i < n; i += kWords) {
    const Words middle = triple(sum(near + i, far + i));
    const Words even = shiftWordsRight<4>(addWords(addWords(middle, eight), sum(near + i - 1, far + i - 1)));
    const Words odd = shiftWordsRight<4>(addWords(addWords(middle, seven), sum(near + i + 1, far + i + 1)));
    storeAlternating(out + 2 * i, even, odd);
  }
}

struct WordRgb {
  Words r, g, b;  // not yet clamped
};

// Luma and chroma to R, G, B. `u` and `v` are twice the distance of Cb and Cr from 128. libjpeg's factors are 91881,
// 116130, -22554 and -46802 of 65536, rounded; multiplyRounded by these gives the same for every chroma there is (a test
// goes through them all).
struct Colour {
  Words red = setWords(22970), blue = setWords(29033), green = setWordPairs(-11277, -23401);
  Ints half = setInts(32768);

  WordRgb operator()(Words luma, Words u, Words v) const {
    const Ints low = shiftIntsRight<16>(addInts(dotPairs(zipLow(u, v), green), half));
    const Ints high = shiftIntsRight<16>(addInts(dotPairs(zipHigh(u, v), green), half));
    return {addWords(luma, multiplyRounded(v, red)), addWords(luma, packZipped(low, high)), addWords(luma, multiplyRounded(u, blue))};
  }
};

void toRgb(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t n, uint8_t* r, uint8_t* g, uint8_t* b) {
  const Colour colour;
  const Words middle = setWords(128);
  const auto distance = [&](const uint8_t* chroma) {
    const Words single = subtractWords(widenBytes(chroma), middle);
    return addWords(single, single);
  };
  for (size_t i = 0; i < n; i += kWords) {
    const WordRgb pixels = colour(widenBytes(y + i), distance(cb + i), distance(cr + i));
    storeWordsAsBytes(r + i, pixels.r);
    storeWordsAsBytes(g + i, pixels.g);
    storeWordsAsBytes(b + i, pixels.b);
  }
}

// Chroma samples that are weighed with those of the row below, or above, before they are doubled along the row.
constexpr size_t kMixed = 256;

// The sums 3a + b and 3b + a of n samples, of which 510 is taken away: three of them and one of a neighbour make 16
// times the distance from 128, and 8 for rounding. Written to the next multiple of kWords.
void mixRows(const uint8_t* a, const uint8_t* b, size_t n, int16_t* nearA, int16_t* nearB) {
  const Words bias = setWords(-510);
  for (size_t i = 0; i < n; i += kWords) {
    const Words upper = widenBytes(a + i), lower = widenBytes(b + i), sum = addWords(addWords(upper, lower), bias);
    storeWords(nearA + i, addWords(sum, addWords(upper, upper)));
    storeWords(nearB + i, addWords(sum, addWords(lower, lower)));
  }
}

// Twice the distance from 128 of what becomes even pixels, and odd ones; `mixed`: the sum of the sample before.
struct Doubled {
  Words even, odd;
  explicit Doubled(const int16_t* mixed) {
    const Words middle = triple(loadWords(mixed + 1));
    const Words left = shiftWordsRight<4>(addWords(middle, loadWords(mixed)));
    const Words right = shiftWordsRight<4>(addWords(addWords(middle, setWords(-1)), loadWords(mixed + 2)));
    even = addWords(left, left);
    odd = addWords(right, right);
  }
};

void upsample2x2ToRgb(const uint8_t* const (&y)[2], const uint8_t* const (&cb)[2], const uint8_t* const (&cr)[2], size_t n,
                      uint8_t* const (&rgb)[2][3]) {
  alignas(16) static constexpr uint8_t kAlternate[16] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
  const Colour colour;
  const Bytes alternate = repeatLane(kAlternate);
  const auto store = [&](uint8_t* out, Words even, Words odd) {
    storeBytes(out, shuffleBytes(packWordsUnsigned(even, odd), alternate));
  };
  alignas(64) int16_t blue[2][kMixed + 2 * kWords], red[2][kMixed + 2 * kWords];
  for (size_t from = 0; from < n; from += kMixed) {
    const size_t count = n - from < kMixed ? n - from : kMixed;
    mixRows(cb[0] + from - 1, cb[1] + from - 1, count + 2, blue[0], blue[1]);
    mixRows(cr[0] + from - 1, cr[1] + from - 1, count + 2, red[0], red[1]);
    for (size_t k = 0; k < 2; ++k) {
      for (size_t i = 0; i < count; i += kWords) {
        const Doubled u(blue[k] + i), v(red[k] + i);
        const size_t at = 2 * (from + i);
        const Bytes luma = loadBytes(y[k] + at);
        const WordRgb even = colour(evenBytes(luma), u.even, v.even), odd = colour(oddBytes(luma), u.odd, v.odd);
        store(rgb[k][0] + at, even.r, odd.r);
        store(rgb[k][1] + at, even.g, odd.g);
        store(rgb[k][2] + at, even.b, odd.b);
      }
    }
  }
}

}  // namespace
}  // namespace headrace
