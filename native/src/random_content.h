// The bytes of records that nobody stores: a pure function of (seed, file, record, offset), whatever is asked for first
// and however it is cut.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "../kernels/kernels.h"

namespace headrace {

// Bytes of a block, which has a key of its own; smaller ones are powers of two from kLeastBlock on.
inline constexpr uint64_t kMostBlock = 65536, kLeastBlock = 64;

struct RandomContent {
  uint64_t seed = 0, file = 0;
  RandomType type = RandomType::bits;
  uint64_t block = kMostBlock;
  // Of every `period` bytes of a record the first `random` are random, the others 0; both multiples of 8, 0 < random <= period.
  uint64_t period = kMostBlock, random = kMostBlock;
  // Where blocks are there more than once: so many different ones, one after the other and again, in the whole set. 0:
  // every block is there once.
  uint64_t unique = 0;
  // The number in the set of the file's first block, and blocks a record. Only where there is `unique`.
  uint64_t first = 0, recordBlocks = 0;

  // `out` becomes the bytes of `record` from `offset` on.
  void fill(const Kernels& kernels, uint64_t record, uint64_t offset, std::span<uint8_t> out) const;
  // Where `bytes` first differ from those of `record` from `offset` on; their size where they do not.
  size_t difference(const Kernels& kernels, uint64_t record, uint64_t offset, std::span<const uint8_t> bytes) const;
};

}  // namespace headrace
