// Bytes between memory and a range of a file, in blocks of full width: by threads that each do one block after the other,
// or by a ring that has several under way at once.
//
// O_DIRECT wants offsets, lengths and addresses aligned. Blocks are cut at multiples of the alignment; what the first
// and the last read beyond the range goes to memory of the transfer's own, by the same system call. Where the caller's
// memory is aligned like the file, nothing is copied but such ends; elsewhere blocks go through a slab.
#pragma once
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pool.h"
#include "slab.h"

namespace headrace {

struct Transfer {
  int fd = -1;
  bool write = false;  // the range's ends are aligned then
  uint8_t* memory = nullptr;
  size_t length = 0;
  uint64_t offset = 0;
  // Bytes around `memory` that a read may overwrite.
  size_t before = 0, after = 0;
  size_t blockSize = 0;        // a multiple of both alignments
  size_t offsetAlignment = 1;  // bytes, powers of two; 1: none
  size_t memoryAlignment = 1;
  size_t depth = 1;  // blocks under way at once
  enum class Engine { automatic, threads, ring } engine = Engine::automatic;
  // Becomes another number than 0 when nobody wants the rest; may be null.
  const uint32_t* cancel = nullptr;
};

struct Moved {
  int error = 0;     // an errno; ECANCELED where `cancel` said so
  size_t bytes = 0;  // from the start of the range on; fewer than its length only at the end of the file
  bool ring = false;
};

// Moves all of it, or up to the end of the file. Pool thread; threads that help are those of `pool`, at most `threads`
// of `group` at once.
Moved move(const Transfer& transfer, Pool& pool, size_t group, size_t threads);

}  // namespace headrace
