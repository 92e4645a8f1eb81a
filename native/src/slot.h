// Memory for batches that the addon owns. A slot is leased to JavaScript as an ArrayBuffer, taken back by detaching it,
// and leased again. On Linux it is a memfd, so that another process can be handed the same memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace headrace {

class SlotSlab;

// One mapping. A lease keeps it alive: a buffer that was transferred elsewhere stays valid after the slot grew or went.
class SlotMemory {
 public:
  static std::shared_ptr<SlotMemory> create(size_t bytes, std::string& error);
  // A part of a slab, which takes it back when nobody uses it any more.
  static std::shared_ptr<SlotMemory> carved(std::shared_ptr<SlotSlab> slab, uint8_t* data, size_t bytes);
  ~SlotMemory();
  SlotMemory(const SlotMemory&) = delete;
  SlotMemory& operator=(const SlotMemory&) = delete;
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  SlotMemory(int fd, uint8_t* data, size_t size, std::shared_ptr<SlotSlab> slab);
  int fd_;
  uint8_t* data_;
  size_t size_;
  std::shared_ptr<SlotSlab> slab_;  // null: a mapping of its own
};

// Memory of slots that other threads may lease too, by number. The table holds it until the number is taken back; leases
// that were made hold it after that. Any thread.
class SharedSlots {
 public:
  static uint64_t add(std::shared_ptr<SlotMemory> memory);
  // Null where there is no such number, or not any more.
  static std::shared_ptr<SlotMemory> find(uint64_t number);
  static bool remove(uint64_t number);
  static size_t count();
};

class Slot {
 public:
  // `slab`: what its memory was carved from, to grow there too.
  explicit Slot(std::shared_ptr<SlotMemory> memory, std::shared_ptr<SlotSlab> slab = nullptr) : memory_(std::move(memory)), slab_(std::move(slab)) {}
  std::shared_ptr<SlotMemory> memory() const { return memory_; }
  size_t size() const { return memory_ ? memory_->size() : 0; }
  // New memory, zeroed; the old goes when its last lease does.
  bool grow(size_t bytes, std::string& error);
  void release() {
    memory_.reset();
    slab_.reset();
  }

  // Rows of variable length in a fixed stride read as zeros behind their end. Only the bytes that an earlier, longer row
  // left there need clearing, so each row's dirty length is kept, as long as nothing else writes into the rows' bytes.
  // (To clear all of them each time would cost a third of the speed of stored bytes. So what a consumer writes behind
  // the end of a row stays there until a longer row comes: loader/types.ts says so.)
  struct Rows {
    size_t offset, stride;
    std::vector<size_t> dirty;
    size_t used = 0;  // rows written since the last lease
  };
  // The state of `count` rows for a task that is about to write them. The task holds it: fields of a batch are written
  // at the same time, each with rows of its own. JavaScript thread.
  std::shared_ptr<Rows> rows(size_t offset, size_t stride, size_t count);
  // Something else is about to write bytes [begin, end). JavaScript thread.
  void writes(size_t begin, size_t end);
  // JavaScript gets the first `bytes` bytes, and may write what is not rows of this batch. JavaScript thread.
  void leased(size_t bytes);

 private:
  std::shared_ptr<SlotMemory> memory_;
  std::shared_ptr<SlotSlab> slab_;
  std::vector<std::shared_ptr<Rows>> rows_;
  size_t touched_ = 0;  // bytes from here on are zeros still
};

}  // namespace headrace
