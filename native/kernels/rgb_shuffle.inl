// Interleaved and planar pixels by byte shuffles in lanes of 16 bytes. Included after an ops_*.h; see kernels.inl.

namespace headrace {
namespace {

constexpr size_t kBytes = 16 * kLanes;
struct Rgb {
  Bytes r, g, b;
};

// Of 48 bytes of RGB, byte 16 * k + j holds channel (k + j) % 3 of pixel (16 * k + j) / 3. So one channel lies at other
// places of the three 16-byte pieces each, and two selects gather it into one register, out of order.
struct alignas(16) RgbTables {
  uint8_t gather[3][16] = {};    // per channel: where each pixel lies
  uint8_t scatter[3][16] = {};   // per channel: which pixel lies where; the inverse
  uint8_t residue[2][16] = {};   // 0xff where j % 3 is 0, 1
  constexpr RgbTables() {
    for (int c = 0; c < 3; ++c) {
      for (int pixel = 0; pixel < 16; ++pixel) {
        const int at = (3 * pixel + c) % 16;
        gather[c][pixel] = uint8_t(at);
        scatter[c][at] = uint8_t(pixel);
      }
    }
    for (int j = 0; j < 16; ++j) {
      residue[0][j] = j % 3 == 0 ? 0xff : 0;
      residue[1][j] = j % 3 == 1 ? 0xff : 0;
    }
  }
};
constexpr RgbTables kRgb;

struct Residues {
  ByteMask first = toMask(repeatLane(kRgb.residue[0])), second = toMask(repeatLane(kRgb.residue[1]));
  Bytes select(Bytes zero, Bytes one, Bytes two) const {
    return selectBytes(first, zero, selectBytes(second, one, two));
  }
};

// kBytes pixels to a register a channel.
struct RgbSplitter {
  Residues residues;
  Bytes toR = repeatLane(kRgb.gather[0]), toG = repeatLane(kRgb.gather[1]), toB = repeatLane(kRgb.gather[2]);
  Rgb load(const uint8_t* in) const {
    const Bytes x = loadLanes(in, 48), y = loadLanes(in + 16, 48), z = loadLanes(in + 32, 48);
    return {shuffleBytes(residues.select(x, z, y), toR), shuffleBytes(residues.select(y, x, z), toG),
            shuffleBytes(residues.select(z, y, x), toB)};
  }
};

// And back.
struct RgbJoiner {
  Residues residues;
  Bytes ofR = repeatLane(kRgb.scatter[0]), ofG = repeatLane(kRgb.scatter[1]), ofB = repeatLane(kRgb.scatter[2]);
  void store(uint8_t* out, Rgb pixels) const {
    const Bytes x = shuffleBytes(pixels.r, ofR), y = shuffleBytes(pixels.g, ofG), z = shuffleBytes(pixels.b, ofB);
    storeLanes(out, 48, residues.select(x, y, z));
    storeLanes(out + 16, 48, residues.select(y, z, x));
    storeLanes(out + 32, 48, residues.select(z, x, y));
  }
};

}  // namespace
}  // namespace headrace
