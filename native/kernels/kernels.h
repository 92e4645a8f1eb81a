// Pixel kernels: one table of functions per instruction set. Every table writes the same bytes as the scalar one.
// Inputs and outputs of one call never overlap. Nothing here allocates, throws or keeps state.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {

// Bytes that must be readable behind the last source sample of every row given to `horizontal` (contents do not matter).
inline constexpr size_t kRowPadding = 64;
// `horizontal` and `vertical` read and write whole multiples of this many elements; rows in between are that long.
inline constexpr size_t kRowAlign = 32;
// Up to here the vertical pass adds 16-bit products, each rounded to 1/128 (at worst 16 * 0.5/128 = 1/16 of a grey
// level in all); beyond it sums exactly in 32 bits, or the rounding of a thousand taps would be visible.
inline constexpr size_t kMaxNarrowTaps = 16;

// Bytes of a cache line: `stream` writes whole ones.
inline constexpr size_t kStreamLine = 64;

// How one output row is gathered from one source row: HorizontalPlan::view() in resize_plan.h. Plain pointers, because
// code compiled for one instruction set must not instantiate library templates that other code shares by name.
struct HorizontalView {
  int32_t out;            // samples of an output row
  const int32_t* first;   // per output: its first source sample, as an index into the row
  const int32_t* taps;    // per output: how many source samples
  const int16_t* weights; // per output: `weightStride` weights in 1/32768, zero behind its taps
  int32_t weightStride;   // a multiple of 32 unless windowed
  bool windowed;          // the tables below are filled: the sources of any four outputs lie in one 16-byte window
  int32_t blocks;         // 16 outputs each, the last one padded
  int32_t pairs;          // pairs of taps an output
  const int32_t* window;  // per block: where the windows of its 4 groups begin, as an index into the row
  const uint32_t* shuffle;     // per block and pair: 16 shuffle controls that make two 16-bit samples of window bytes
  const int16_t* pairWeights;  // per block and pair: 16 pairs of weights
};

// A row of blocks of packed coefficients (docs/formats/dct.md): its six sections and how much each holds. The counts are
// not taken from a file but counted in the sections before, so none can run out: maskBytes is the set bits of hdr,
// values that of mask, escapeCount the zero nibbles among the values, wideCount the 0x80 in dc and escapes. Each section
// has kStripPadding readable bytes behind it.
struct PackedStrip {
  const uint8_t *dc, *hdr, *mask, *nibbles, *escapes, *wides;
  uint32_t blocks, maskBytes, values, escapeCount, wideCount;
};
inline constexpr size_t kStripPadding = 128;
// `decodeStrip` writes whole groups of this many blocks, and needs memory for 64 values a block and kStripPadding more.
inline constexpr size_t kBlockGroup = 4;

// Where the sections of blocks that are being packed go on: each points behind what it has. A block may write up to 64
// elements to each, whatever it brings.
struct PackedSections {
  uint8_t *hdr, *mask, *values, *escapes;  // values: still one a byte
  int16_t* wides;
};

// The codes of a Huffman table of a JPEG. An entry says, from its lowest byte on: bits of the code and of the value behind
// it, bits of the code, zeros that come before the value (or one of the two constants: no value comes), bits of the value.
inline constexpr int kHuffmanLookupBits = 10;
inline constexpr uint32_t kHuffmanEndOfBlock = 64, kHuffmanUnknown = 127;  // unknown: what no baseline picture has
struct HuffmanCodes {
  uint32_t lookup[1 << kHuffmanLookupBits];  // by the first bits of the code; 0: it is longer, or none
  // Of the longer ones, by their length: one more than the last, and what makes the place of its entry of a code.
  int32_t end[17], offset[17];
  uint32_t entries[256];
};
// Bits from the highest of `window` on, of which `count` (below 64) are there; `next`: the first byte that is not.
struct HuffmanBits {
  uint64_t window;
  uint32_t count;
  const uint8_t* next;
};
// What a block can have: 27 bits of DC, 63 times 26 of AC. So many bytes, and 8 more, must be readable behind `next`.
inline constexpr size_t kHuffmanBlockBytes = 209;

// A range decoder of 16 lanes over one stream of words (docs/formats/dct.md, compact form).
struct RansStream {
  uint32_t states[16];
  const uint8_t* words;  // the next uint16; need not be aligned
  const uint8_t* end;    // behind the last; kStripPadding bytes more are readable
};
inline constexpr uint32_t kRansBits = 10;  // frequencies are in 1 / 2^10
inline constexpr size_t kRansContexts = 16;
// Entry (context << kRansBits) + slot: symbol, its frequency << 8, (slot - its start) << 20.
using RansEntry = uint32_t;
// `ransSymbols` reads contexts, and writes symbols, up to this many behind the last.
inline constexpr size_t kRansPadding = 16;

// What elements of random content are: whole numbers of any size, of all bits; 0 or 1; or uniform in [0, 1).
enum class RandomType : uint8_t { bits, flags, float16, bfloat16, float32, float64 };

struct Kernels {
  const char* name;  // "scalar" "sse4" "avx2" "avx512" "neon"

  // RGB pixels (3n bytes) to three planes of n bytes, and back. Both read and write exactly that.
  void (*deinterleave)(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b);
  void (*interleave)(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* rgb);

  // The horizontal pass of a resize over `planes` (1 or 3) rows: out[k * outStride + i] is the weighted sum of the
  // samples of row k in 1/128 units (8-bit value << 7), rounded half up. outStride is a multiple of kRowAlign of at
  // least view.out; elements up to it may be written. Rows are read up to kRowPadding bytes behind their last sample.
  void (*horizontal)(const HorizontalView& view, const uint8_t* const* rows, size_t planes, int16_t* out, size_t outStride);

  // The vertical pass: the weighted sum of `taps` (>= 1) rows of n samples in 1/128 units, rounded and clamped to 8
  // bits. weights are 1/32768 units and sum to at most 32768. Rows are read, and out is written, up to n rounded up to
  // kRowAlign.
  void (*vertical)(const int16_t* const* rows, const int16_t* weights, size_t taps, size_t n, uint8_t* out);

  // out[i] = float32(float32(in[i] * scale[c]) + bias[c]), two roundings, never fused; c = i % channels.
  // channels is 1 (a plane) or 3 (interleaved); n counts samples, not pixels. Reads and writes exactly n samples.
  void (*normalizeF32)(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, float* out);
  // The same, then rounded to IEEE half precision, ties to even, overflow to infinity.
  void (*normalizeF16)(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, uint16_t* out);

  // Copies n bytes, a multiple of kStreamLine, to `out`, which begins a line, past the caches where the processor can.
  // Other threads see them after `settle`.
  void (*stream)(const uint8_t* in, size_t n, uint8_t* out);
  void (*settle)();

  // out[i] = in[n - 1 - i] over samples of one plane. Reads and writes exactly n bytes.
  void (*reverse)(const uint8_t* in, size_t n, uint8_t* out);

  // Blocks [first, last) of a strip, dequantised by `table` (64 entries row by row) and transformed: 8 rows of samples,
  // `stride` apart; columns up to the next multiple of kBlockGroup blocks may be written. `values` is scratch. False
  // where a mask has a bit for DC.
  bool (*decodeStrip)(const PackedStrip& strip, uint32_t first, uint32_t last, const uint16_t* table, int8_t* values,
                      uint8_t* out, size_t stride);

  // Set bits of n bytes; how many of the first n nibbles are 0.
  uint32_t (*countBits)(const uint8_t* bytes, size_t n);
  uint32_t (*countEscapes)(const uint8_t* nibbles, size_t n);

  // libjpeg's "fancy" upsampling of n samples of one row, 2n (2x1, 2x2) or n (1x2) out. The samples at -1 and n must be
  // there (an edge repeated), and rows be readable kRowPadding bytes and writable to a multiple of kRowAlign samples of
  // input behind their end. far: the row above or below. bias: 1 above, 2 below.
  void (*upsample2x1)(const uint8_t* in, size_t n, uint8_t* out);
  void (*upsample1x2)(const uint8_t* near, const uint8_t* far, int bias, size_t n, uint8_t* out);
  void (*upsample2x2)(const uint8_t* near, const uint8_t* far, size_t n, uint8_t* out);
  // Planes of Y, Cb, Cr to R, G, B. Rows are read, and written, to the next multiple of kRowAlign.
  void (*toRgb)(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t n, uint8_t* r, uint8_t* g, uint8_t* b);

  // The two rows of pixels between two rows of chroma, upsample2x2 and toRgb in one pass: of row 0 the chroma at [0] is
  // the nearer one, of row 1 that at [1]. n chroma samples, 2n pixels a row; rgb[k]: planes of row k.
  void (*upsample2x2ToRgb)(const uint8_t* const (&y)[2], const uint8_t* const (&cb)[2], const uint8_t* const (&cr)[2], size_t n,
                           uint8_t* const (&rgb)[2][3]);

  // Appends the AC coefficients of n blocks (64 coefficients each, row by row) to the sections. False where one has
  // coefficients that are too large to be packed by the quantisation `table`.
  bool (*packBlocks)(const int16_t* blocks, size_t n, const uint16_t* table, PackedSections& to);
  // Bytes of pairs of n values, the lower half first; behind an odd number 0. Reads and writes exactly that.
  void (*joinNibbles)(const uint8_t* values, size_t n, uint8_t* out);

  // The next block of Huffman code, over zeros: its coefficients, row by row. `before`: DC of the block before, and then of
  // this. False where the code is not one of a baseline picture.
  bool (*huffmanBlock)(HuffmanBits& bits, const HuffmanCodes& dc, const HuffmanCodes& ac, int32_t& before, int16_t* block);

  // The next n symbols of each of `streams` (1 or 2; two are decoded side by side), all of one phase: symbol i belongs
  // to lane i % 16 and context contexts[k][i] (only its lower 4 bits count). False where the words do not suffice.
  bool (*ransSymbols)(RansStream* streams, size_t count, const RansEntry* table, const uint8_t* const* contexts,
                      const size_t* n, uint8_t* const* out);

  // n words of the random stream of `key` (three words) from its word `first` on, lowest byte first; any alignment.
  void (*randomWords)(const uint32_t* key, uint32_t first, size_t n, uint8_t* out);
  // n random bytes, a multiple of 8, become elements.
  void (*randomElements)(RandomType type, size_t n, uint8_t* bytes);
};

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kSse4Kernels, kAvx2Kernels, kAvx512Kernels;  // run only what availableKernels lists
#elif defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

// The widest table that the processor can run, or the one that `forced` (the value of HEADRACE_SIMD; null or empty: not
// set) names: scalar|sse4|avx2|avx512|neon. Null, with a message in *error, where it names one that is unknown or not
// available here. The message is a constant string.
const Kernels* chooseKernels(const char* forced, const char** error);

// Every table this build has and this processor can run, widest last; fills up to `capacity`, returns how many it filled.
size_t availableKernels(const Kernels** out, size_t capacity);

}  // namespace headrace
