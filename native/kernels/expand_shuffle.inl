// Values and blocks of packed coefficients by byte shuffles of 16 bytes, for SSE4.1, AVX2 and NEON.
// Included after an ops_*.h, of which it uses, beside what kernels.inl lists, operations on 16 bytes (a Lane):
//   loadLane storeLane; loadHalves(p, q): 8 bytes each; loadNibbles(p): 16 nibbles, one a byte; setLane: 16 times a byte
//   shuffleLane(v, control): 0 where control's upper bit is set; selectByControl(control, set, clear): by its upper bit
//   addLanes; equalBits(a, b): a bit a byte; zipLaneIntsLow/High: 4-byte units
//   packLane(p): 16 words to signed bytes, saturated; evenLaneInts oddLaneInts: every other 4-byte unit of two
//   storeLaneAsWords(p, v): sign-extended; storeLaneAsWords(p, v, first): with another first word

namespace headrace {
namespace {

struct alignas(16) ExpandTables {
  uint8_t take[256][8] = {};    // for each set bit how many are set below it, 0x80 for each clear one
  uint8_t behind[9][16] = {};   // what makes the controls of eight bits those of the upper half of 16
  int8_t signedNibble[16] = {};
  constexpr ExpandTables() {
    for (int bits = 0; bits < 256; ++bits) {
      for (int i = 0, next = 0; i < 8; ++i) take[bits][i] = bits >> i & 1 ? uint8_t(next++) : 0x80;
    }
    for (int count = 0; count < 9; ++count) {
      for (int i = 8; i < 16; ++i) behind[count][i] = uint8_t(count);
    }
    for (int i = 0; i < 16; ++i) signedNibble[i] = int8_t(i < 8 ? i : i - 16);
  }
};
constexpr ExpandTables kExpand;

// The control that spreads consecutive bytes to the set bits of 16.
inline Lane spreadControl(unsigned bits) {
  const Lane halves = loadHalves(kExpand.take[bits & 255], kExpand.take[bits >> 8 & 255]);
  return addLanes(halves, loadLane(kExpand.behind[scalar::bitsIn(bits & 255)]));
}

// How many of the first n nibbles are 0.
uint32_t countEscapes(const uint8_t* nibbles, size_t n) {
  const Lane zero = setLane(0);
  uint32_t count = 0;
  for (size_t i = 0; i < n; i += 16) {
    unsigned found = equalBits(loadNibbles(nibbles + i / 2), zero);
    if (n - i < 16) found &= (1u << (n - i)) - 1;
    count += scalar::bitsIn(found);
  }
  return count;
}

// Values [begin, end) of a strip as int8, those that are escaped taken from `escape` on; the value of an even place
// `begin & ~1` comes first.
void expandValues(const uint8_t* nibbles, uint32_t begin, uint32_t end, const uint8_t* escape, int8_t* out) {
  const Lane zero = setLane(0), toSigned = loadLane(reinterpret_cast<const uint8_t*>(kExpand.signedNibble));
  for (uint32_t i = begin & ~1u; i < end; i += 16, out += 16) {
    const Lane unsignedValues = loadNibbles(nibbles + i / 2);
    unsigned escaped = equalBits(unsignedValues, zero);
    if (i < begin) escaped &= ~1u;
    if (end - i < 16) escaped &= (1u << (end - i)) - 1;
    Lane values = shuffleLane(toSigned, unsignedValues);
    if (escaped != 0) {
      const Lane control = spreadControl(escaped);
      values = selectByControl(control, values, shuffleLane(loadLane(escape), control));
      escape += scalar::bitsIn(escaped);
    }
    storeLane(reinterpret_cast<uint8_t*>(out), values);
  }
}

// The mask of a block's 64 scan positions from its HDR byte and the mask bytes of the groups that it names.
inline uint64_t spreadMask(unsigned groups, const uint8_t* mask) {
  uint8_t bytes[16];
  storeLane(bytes, shuffleLane(loadHalves(mask, mask), loadHalves(kExpand.take[groups], kExpand.take[groups])));
  uint64_t spread;
  memcpy(&spread, bytes, sizeof spread);
  return spread;
}

// The block, row by row, that has `values` where the mask has bits, and dc.
inline void placeValues(uint64_t mask, const int8_t* values, int16_t dc, int16_t* block) {
  Lane quadrant[4];
  for (int q = 0; q < 4; ++q, mask >>= 16) {
    const unsigned bits = unsigned(mask & 0xffff);
    quadrant[q] = shuffleLane(loadLane(reinterpret_cast<const uint8_t*>(values)), spreadControl(bits));
    values += scalar::bitsIn(bits);
  }
  storeLaneAsWords(block, zipLaneIntsLow(quadrant[0], quadrant[1]), dc);
  storeLaneAsWords(block + 16, zipLaneIntsHigh(quadrant[0], quadrant[1]));
  storeLaneAsWords(block + 32, zipLaneIntsLow(quadrant[2], quadrant[3]));
  storeLaneAsWords(block + 48, zipLaneIntsHigh(quadrant[2], quadrant[3]));
}

// Blocks that are transformed side by side.
struct BlockGroup {
  uint64_t masks[kLanes];
  const int8_t* values[kLanes];  // of each block, narrow ones
  int16_t dc[kLanes];
};

// Row i of the blocks in x[i].
inline void gatherRows(const BlockGroup& group, Words* x) {
  alignas(64) int16_t blocks[kLanes * 64];
  for (size_t lane = 0; lane < kLanes; ++lane) placeValues(group.masks[lane], group.values[lane], group.dc[lane], blocks + 64 * lane);
  for (int i = 0; i < 8; ++i) x[i] = asWords(loadLanes(reinterpret_cast<const uint8_t*>(blocks + 8 * i), 128));
}

// Which scan positions of a block are not zero.
inline uint64_t scanMask(const int16_t* block) {
  const Lane zero = setLane(0);
  uint64_t mask = 0;
  for (int half = 0; half < 2; ++half, block += 32) {
    const Lane upper = packLane(block), lower = packLane(block + 16);
    const unsigned left = equalBits(evenLaneInts(upper, lower), zero), right = equalBits(oddLaneInts(upper, lower), zero);
    mask |= uint64_t(~(left | right << 16)) << (32 * half);
  }
  return mask;
}

bool packBlocks(const int16_t* blocks, size_t n, const uint16_t* table, PackedSections& to) {
  for (size_t i = 0; i < n; ++i, blocks += 64) {
    if (!scalar::packBlock(blocks, scanMask(blocks), table, to)) return false;
  }
  return true;
}

}  // namespace
}  // namespace headrace
