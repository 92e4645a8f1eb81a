#include "kernels.h"
#include "scalar.h"
#include "scalar_dct.h"
#include "scalar_huffman.h"
#include "scalar_pack.h"
#include "scalar_random.h"
#include "scalar_rans.h"

namespace headrace {
namespace {

void normalizeF32(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, float* out) {
  scalar::normalizeF32From(0, in, n, scale, bias, channels, out);
}

void normalizeF16(const uint8_t* in, size_t n, const float* scale, const float* bias, size_t channels, uint16_t* out) {
  scalar::normalizeF16From(0, in, n, scale, bias, channels, out);
}

}  // namespace

constinit const Kernels kScalarKernels = {
    .name = "scalar",
    .deinterleave = scalar::deinterleave,
    .interleave = scalar::interleave,
    .horizontal = scalar::horizontal,
    .vertical = scalar::vertical,
    .normalizeF32 = normalizeF32,
    .normalizeF16 = normalizeF16,
    .stream = scalar::stream,
    .settle = scalar::settle,
    .reverse = scalar::reverse,
    .decodeStrip = scalar::decodeStrip,
    .countBits = scalar::countBits,
    .countEscapes = scalar::countEscapes,
    .upsample2x1 = scalar::upsample2x1,
    .upsample1x2 = scalar::upsample1x2,
    .upsample2x2 = scalar::upsample2x2,
    .toRgb = scalar::toRgb,
    .upsample2x2ToRgb = scalar::upsample2x2ToRgb,
    .packBlocks = scalar::packBlocks,
    .joinNibbles = scalar::joinNibbles,
    .huffmanBlock = scalar::huffmanBlock,
    .ransSymbols = scalar::ransSymbols,
    .randomWords = scalar::randomWords,
    .randomElements = scalar::randomElements,
};

}  // namespace headrace
