// The SIMD kernels, written once over the operations of one instruction set. A kernels_*.cc includes its ops_*.h, then
// the expand_*.inl that fits it and this file, which includes dct.inl and random.inl, and publishes simdTable().
//
// HAZARD: the including file is compiled for an instruction set that not every machine has. A function or template with
// external linkage emitted there could be the copy that the linker keeps for all callers, so everything here and in
// ops_*.h is in an unnamed namespace, and only C headers are included. `make odr` in native/test checks the objects.
//
// What an ops_*.h defines. A register is kLanes (1, 2 or 4) lanes of 16 bytes; "in lanes" operations never cross them.
//   Bytes Words Ints Floats     registers of 8-bit, 16-bit signed, 32-bit signed and float32 elements (maybe one type)
//   Rgb RgbSplitter RgbJoiner   rgb_*.inl: a register a channel from, and to, as many pixels
//   loadBytes storeBytes        a whole register; loadLanes storeLanes: lane l at p + l * stride
//   streamBytes(p, v)           past the caches where that is possible; p is aligned; settle(): other threads see them
//   loadWindows(p, at)          lane l from p + at[l]; repeatLane(p): the same 16 bytes in every lane
//   shuffleBytes                in lanes: byte control[i] of the lane, 0 where it is 0x80
//   toMask selectBytes          mask bytes are 0 or 0xff; reverseBytes: the whole register backwards
//   widenBytes(p)               as many bytes as a register has words, zero extended
//   multiplyRounded             (a * b + 0x4000) >> 15; addSaturated: at 16 bits
//   multiplyLow multiplyHigh    the lower and upper 16 bits of products of words
//   zipLow zipHigh              in lanes: words a0 b0 a1 b1 ...; packZipped(low, high): dots of the two to words in order
//   zipPairsLow/High zipQuadsLow/High   the same with pairs and quadruples of words as the unit
//   packWords(a, b)             in lanes: words of a, then of b, to signed bytes, saturated
//   evenBytes oddBytes          of every word its lower, its upper byte, zero extended; packWordsUnsigned: to 0 .. 255
//   storeHalves(p, q, v)        the lower 8 bytes of every lane to p, the upper ones to q
//   dotPairs                    a0*b0 + a1*b1 of neighbouring words
//   multiplyInts shiftIntsDown  of ints without sign, modulo 2^32; loadInts storeInts: any address
//   storeBlockAsWords           16 ints of 4 / kLanes registers; storeSums: the sum of each of four registers
//   storeWordsAsBytes           clamped to 0 .. 255; storeFloatsAsHalves: ties to even

namespace headrace {
namespace {

constexpr size_t kWords = 8 * kLanes;
constexpr size_t kFloats = 4 * kLanes;
constexpr size_t kBlock = 16;               // outputs of a HorizontalView block
constexpr size_t kParts = 4 / kLanes;       // registers of ints a block

// ---- interleaved and planar pixels

void deinterleave(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b) {
  if (n < kBytes) return scalar::deinterleave(rgb, n, r, g, b);
  const RgbSplitter splitter;
  for (size_t i = 0; i < n; i += kBytes) {
    if (i + kBytes > n) i = n - kBytes;  // the last block overlaps the one before instead of leaving the row
    const Rgb pixels = splitter.load(rgb + 3 * i);
    storeBytes(r + i, pixels.r);
    storeBytes(g + i, pixels.g);
    storeBytes(b + i, pixels.b);
  }
}

void interleave(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* rgb) {
  if (n < kBytes) return scalar::interleave(r, g, b, n, rgb);
  const RgbJoiner joiner;
  for (size_t i = 0; i < n; i += kBytes) {
    if (i + kBytes > n) i = n - kBytes;
    joiner.store(rgb + 3 * i, {loadBytes(r + i), loadBytes(g + i), loadBytes(b + i)});
  }
}

void reverse(const uint8_t* in, size_t n, uint8_t* out) {
  if (n < kBytes) return scalar::reverse(in, n, out);
  for (size_t i = 0; i < n; i += kBytes) {
    if (i + kBytes > n) i = n - kBytes;
    storeBytes(out + i, reverseBytes(loadBytes(in + (n - kBytes - i))));
  }
}

void stream(const uint8_t* in, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; i += kBytes) streamBytes(out + i, loadBytes(in + i));
}

// ---- horizontal pass

// knownPairs: the pairs of taps at compile time, 0 if only the view knows.
template <size_t planes, size_t knownPairs>
void gatherWindows(const HorizontalView& view, const uint8_t* const* rows, int16_t* out, size_t outStride) {
  const size_t pairs = knownPairs != 0 ? knownPairs : size_t(view.pairs);
  for (size_t block = 0; block < size_t(view.blocks); ++block) {
    const uint8_t* shuffle = reinterpret_cast<const uint8_t*>(view.shuffle + block * pairs * kBlock);
    const int16_t* weights = view.pairWeights + block * pairs * kBlock * 2;
    Ints sums[planes][kParts];
    for (size_t part = 0; part < kParts; ++part) {
      Bytes window[planes];
      for (size_t k = 0; k < planes; ++k) {
        window[k] = loadWindows(rows[k], view.window + block * 4 + part * kLanes);
        sums[k][part] = setInts(128);
      }
      for (size_t pair = 0; pair < pairs; ++pair) {
        const Bytes control = loadBytes(shuffle + pair * 4 * kBlock + part * kBytes);
        const Words weight = loadWords(weights + pair * 2 * kBlock + part * kWords);
        for (size_t k = 0; k < planes; ++k) {
          const Words samples = asWords(shuffleBytes(window[k], control));
          sums[k][part] = addInts(sums[k][part], dotPairs(samples, weight));
        }
      }
      for (size_t k = 0; k < planes; ++k) sums[k][part] = shiftIntsRight<8>(sums[k][part]);
    }
    for (size_t k = 0; k < planes; ++k) storeBlockAsWords(out + k * outStride + block * kBlock, sums[k]);
  }
}

template <size_t planes>
void gatherWindows(const HorizontalView& view, const uint8_t* const* rows, int16_t* out, size_t outStride) {
  switch (view.pairs) {
    case 1: return gatherWindows<planes, 1>(view, rows, out, outStride);
    case 2: return gatherWindows<planes, 2>(view, rows, out, outStride);
    case 3: return gatherWindows<planes, 3>(view, rows, out, outStride);
    default: return gatherWindows<planes, 0>(view, rows, out, outStride);
  }
}

// The weighted samples of one output, still to be added up. Reads less than kWords <= kRowPadding behind its last tap.
inline Ints dot(const HorizontalView& view, const uint8_t* row, size_t i) {
  const uint8_t* samples = row + view.first[i];
  const int16_t* weights = view.weights + i * size_t(view.weightStride);
  Ints sum = setInts(0);
  for (size_t tap = 0; tap < size_t(view.taps[i]); tap += kWords) {
    sum = addInts(sum, dotPairs(widenBytes(samples + tap), loadWords(weights + tap)));
  }
  return sum;
}

// Four outputs at a time, since their four sums cost hardly more to add up than one.
void gatherDots(const HorizontalView& view, const uint8_t* row, int16_t* out) {
  const size_t last = size_t(view.out) - 1;
  const auto limit = [last](size_t i) { return i < last ? i : last; };
  for (size_t i = 0; i <= last; i += 4) {
    int32_t sums[4];
    storeSums(sums, dot(view, row, i), dot(view, row, limit(i + 1)), dot(view, row, limit(i + 2)),
              dot(view, row, limit(i + 3)));
    for (size_t j = 0; j < 4; ++j) out[i + j] = scalar::toSample(sums[j]);
  }
}

void horizontal(const HorizontalView& view, const uint8_t* const* rows, size_t planes, int16_t* out, size_t outStride) {
  if (!view.windowed) {
    for (size_t k = 0; k < planes; ++k) gatherDots(view, rows[k], out + k * outStride);
  } else if (planes == 3) {
    gatherWindows<3>(view, rows, out, outStride);
  } else {
    gatherWindows<1>(view, rows, out, outStride);
  }
}

// ---- vertical pass

// knownTaps: the taps at compile time, 0 if not (then at most kMaxNarrowTaps).
template <size_t knownTaps>
void addRows(const int16_t* const* rows, const int16_t* weights, size_t taps, size_t n, uint8_t* out) {
  constexpr size_t most = knownTaps != 0 ? knownTaps : kMaxNarrowTaps;
  if (knownTaps != 0) taps = knownTaps;
  const int16_t* row[most];
  Words weight[most];
  for (size_t tap = 0; tap < taps; ++tap) {
    row[tap] = rows[tap];
    weight[tap] = setWords(weights[tap]);
  }
  const Words half = setWords(64);
  for (size_t i = 0; i < n; i += kWords) {
    Words sum = half;
    for (size_t tap = 0; tap < taps; ++tap) {
      sum = addSaturated(sum, multiplyRounded(loadWords(row[tap] + i), weight[tap]));
    }
    storeWordsAsBytes(out + i, shiftWordsRight<7>(sum));
  }
}

void addManyRows(const int16_t* const* rows, const int16_t* weights, size_t taps, size_t n, uint8_t* out) {
  const Ints half = setInts(1 << 21);
  for (size_t i = 0; i < n; i += kWords) {
    Ints low = half, high = half;
    const auto add = [&](Words a, Words b, Words weight) {
      low = addInts(low, dotPairs(zipLow(a, b), weight));
      high = addInts(high, dotPairs(zipHigh(a, b), weight));
    };
    size_t tap = 0;
    for (; tap + 2 <= taps; tap += 2) {
      add(loadWords(rows[tap] + i), loadWords(rows[tap + 1] + i), setWordPairs(weights[tap], weights[tap + 1]));
    }
    if (tap < taps) add(loadWords(rows[tap] + i), setWords(0), setWordPairs(weights[tap], 0));
    storeWordsAsBytes(out + i, packZipped(shiftIntsRight<22>(low), shiftIntsRight<22>(high)));
  }
}

void vertical(const int16_t* const* rows, const int16_t* weights, size_t taps, size_t n, uint8_t* out) {
  switch (taps) {
    case 1: return addRows<1>(rows, weights, taps, n, out);
    case 2: return addRows<2>(rows, weights, taps, n, out);
    case 3: return addRows<3>(rows, weights, taps, n, out);
    case 4: return addRows<4>(rows, weights, taps, n, out);
    case 5: return addRows<5>(rows, weights, taps, n, out);
    default: break;
  }
  if (taps <= kMaxNarrowTaps) return addRows<0>(rows, weights, taps, n, out);
  addManyRows(rows, weights, taps, n, out);
}

// ---- normalise

// Three registers of float32 hold a whole number of pixels of 1 or 3 channels: the factors repeat from there.
struct Factors {
  Floats scale[3], bias[3];
  Factors(const float* scales, const float* biases, size_t channels) {
    float scaleOf[3 * kFloats], biasOf[3 * kFloats];
    for (size_t i = 0; i < 3 * kFloats; ++i) {
      scaleOf[i] = scales[i % channels];
      biasOf[i] = biases[i % channels];
    }
    for (size_t k = 0; k < 3; ++k) {
      scale[k] = loadFloats(scaleOf + k * kFloats);
      bias[k] = loadFloats(biasOf + k * kFloats);
    }
  }
  Floats apply(const uint8_t* in, size_t k) const {
    return addFloats(multiplyFloats(bytesToFloats(in), scale[k]), bias[k]);
  }
};

// Writes with `store` as many whole registers as fit n samples; returns how many samples that is.
template <typename Sample>
size_t normalizeRegisters(const uint8_t* in, size_t n, const Factors& factors, Sample* out,
                          void (*store)(Sample*, Floats)) {
  size_t i = 0;
  for (; i + 3 * kFloats <= n; i += 3 * kFloats) {
    for (size_t k = 0; k < 3; ++k) store(out + i + k * kFloats, factors.apply(in + i + k * kFloats, k));
  }
  for (size_t k = 0; i + kFloats <= n; ++k, i += kFloats) store(out + i, factors.apply(in + i, k));
  return i;
}

void normalizeF32(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, float* out) {
  const size_t done = normalizeRegisters(in, n, Factors(scale, bias, channels), out, storeFloats);
  scalar::normalizeF32From(done, in, n, scale, bias, channels, out);
}

void normalizeF16(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, uint16_t* out) {
  const size_t done = normalizeRegisters(in, n, Factors(scale, bias, channels), out, storeFloatsAsHalves);
  scalar::normalizeF16From(done, in, n, scale, bias, channels, out);
}

}  // namespace
}  // namespace headrace

#include "dct.inl"
#include "random.inl"

namespace headrace {
namespace {

constexpr Kernels simdTable(const char* name) {
  return {
      .name = name,
      .deinterleave = deinterleave,
      .interleave = interleave,
      .horizontal = horizontal,
      .vertical = vertical,
      .normalizeF32 = normalizeF32,
      .normalizeF16 = normalizeF16,
      .stream = stream,
      .settle = settle,
      .reverse = reverse,
      .decodeStrip = decodeStrip,
      .countBits = scalar::countBits,
      .countEscapes = countEscapes,
      .upsample2x1 = upsample2x1,
      .upsample1x2 = upsample1x2,
      .upsample2x2 = upsample2x2,
      .toRgb = toRgb,
      .upsample2x2ToRgb = upsample2x2ToRgb,
      .packBlocks = packBlocks,
      .joinNibbles = joinNibbles,
      .huffmanBlock = scalar::huffmanBlock,
      .ransSymbols = ransSymbols,
      .randomWords = randomWords,
      .randomElements = scalar::randomElements,
  };
}

}  // namespace
}  // namespace headrace
