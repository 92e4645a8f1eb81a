#include "random_content.h"

#include <algorithm>
#include <cstring>

namespace headrace {
namespace {

// What keys are told apart by; arbitrary, and frozen: they are part of what the bytes are.
constexpr uint64_t kOnce = 0x6865616472616365, kShared = 0x7368617265640000, kStep = 0x9e3779b97f4a7c15;

// Made random at once and then turned into elements, while they are in the first cache.
constexpr size_t kPiece = 8192;

// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

struct Key {
  uint32_t words[3];
};

// Of 96 bits, so that no two blocks of any set have one.
Key keyOf(const RandomContent& content, uint64_t record, uint64_t block) {
  const bool shared = content.unique != 0;
  const uint64_t set = mix(content.seed ^ (shared ? kShared : kOnce));
  const uint64_t file = shared ? set : mix(set + (content.file + 1) * kStep);
  const uint64_t whole = shared ? set : mix(file + (record + 1) * kStep);
  if (shared) block = (content.first + record * content.recordBlocks + block) % content.unique;
  const uint64_t one = mix(whole + (block + 1) * kStep), two = mix(one + file);
  return {{uint32_t(one), uint32_t(one >> 32), uint32_t(two)}};
}

// Random elements from `at` in the block on.
void elements(const Kernels& kernels, RandomType type, const Key& key, uint64_t at, std::span<uint8_t> out) {
  const auto some = [&](uint64_t from, size_t size, uint8_t* to) {
    kernels.randomWords(key.words, uint32_t(from / 4), size / 4, to);
    kernels.randomElements(type, size, to);
  };
  const auto edge = [&] {  // what does not begin, or end, with an element
    uint8_t eight[8];
    const size_t skip = at % 8, size = std::min<size_t>(out.size(), 8 - skip);
    some(at - skip, 8, eight);
    std::memcpy(out.data(), eight + skip, size);
    at += size;
    out = out.subspan(size);
  };
  if (at % 8 != 0 && !out.empty()) edge();
  while (out.size() >= 8) {
    const size_t size = std::min(out.size() & ~size_t{7}, kPiece);
    some(at, size, out.data());
    at += size;
    out = out.subspan(size);
  }
  if (!out.empty()) edge();
}

}  // namespace

void RandomContent::fill(const Kernels& kernels, uint64_t record, uint64_t offset, std::span<uint8_t> out) const {
  Key key{};
  bool keyed = false;
  while (!out.empty()) {
    const uint64_t inBlock = offset % block, inPeriod = offset % period;
    if (inBlock == 0 || !keyed) key = keyOf(*this, record, offset / block), keyed = true;
    const bool zero = inPeriod >= random;
    const size_t size = std::min({uint64_t(out.size()), block - inBlock, (zero ? period : random) - inPeriod});
    const auto part = out.first(size);
    if (zero) std::memset(part.data(), 0, size);
    else elements(kernels, type, key, inBlock, part);
    out = out.subspan(size);
    offset += size;
  }
}

size_t RandomContent::difference(const Kernels& kernels, uint64_t record, uint64_t offset, std::span<const uint8_t> bytes) const {
  uint8_t expected[4 * kPiece];
  size_t same = 0;
  while (same < bytes.size()) {
    const size_t size = std::min(bytes.size() - same, sizeof expected);
    fill(kernels, record, offset + same, {expected, size});
    const uint8_t* found = bytes.data() + same;
    if (std::memcmp(found, expected, size) != 0) return same + size_t(std::mismatch(found, found + size, expected).first - found);
    same += size;
  }
  return same;
}

}  // namespace headrace
