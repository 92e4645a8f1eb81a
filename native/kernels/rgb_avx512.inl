// Interleaved and planar pixels by byte permutes over whole registers (VBMI). Included after ops_avx512.h; see kernels.inl.

namespace headrace {
namespace {

constexpr size_t kBytes = 64;
struct Rgb {
  __m512i r, g, b;
};

// 64 pixels are three registers of 64 bytes. Byte k of the 192 is channel k % 3 of pixel k / 3.
struct RgbTables {
  // Of each channel: where its pixels lie in the first two registers, and in the third; which are in the third.
  alignas(64) uint8_t split[3][2][64] = {};
  uint64_t third[3] = {};
  // Of each register: which bytes of R (0..63) and G (64..127) it takes, which of B; which are B's.
  alignas(64) uint8_t join[3][2][64] = {};
  uint64_t blue[3] = {};
  constexpr RgbTables() {
    for (int k = 0; k < 192; ++k) {
      const int channel = k % 3, pixel = k / 3, part = k / 64, at = k % 64;
      split[channel][k < 128 ? 0 : 1][pixel] = uint8_t(k < 128 ? k : k - 128);
      third[channel] |= k < 128 ? 0 : uint64_t(1) << pixel;
      join[part][channel < 2 ? 0 : 1][at] = uint8_t(channel == 1 ? 64 + pixel : pixel);
      blue[part] |= channel < 2 ? 0 : uint64_t(1) << at;
    }
  }
};
constexpr RgbTables kRgb;

inline __m512i pickBytes(__m512i a, __m512i b, __m512i c, const uint8_t (&tables)[2][64], uint64_t ofC) {
  const __m512i ab = _mm512_permutex2var_epi8(a, _mm512_load_si512(tables[0]), b);
  return _mm512_mask_permutexvar_epi8(ab, ofC, _mm512_load_si512(tables[1]), c);
}

// kBytes pixels to a register a channel.
struct RgbSplitter {
  Rgb load(const uint8_t* in) const {
    const __m512i a = loadBytes(in), b = loadBytes(in + 64), c = loadBytes(in + 128);
    return {pickBytes(a, b, c, kRgb.split[0], kRgb.third[0]), pickBytes(a, b, c, kRgb.split[1], kRgb.third[1]),
            pickBytes(a, b, c, kRgb.split[2], kRgb.third[2])};
  }
};

// And back.
struct RgbJoiner {
  void store(uint8_t* out, Rgb pixels) const {
    for (int part = 0; part < 3; ++part)
      storeBytes(out + 64 * part, pickBytes(pixels.r, pixels.g, pixels.b, kRgb.join[part], kRgb.blue[part]));
  }
};

}  // namespace
}  // namespace headrace
