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

// One mapping. A lease keeps it alive: a buffer that was transferred elsewhere stays valid after the slot grew or went.
class SlotMemory {
 public:
  static std::shared_ptr<SlotMemory> create(size_t bytes, std::string& error);
  ~SlotMemory();
  SlotMemory(const SlotMemory&) = delete;
  SlotMemory& operator=(const SlotMemory&) = delete;
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  SlotMemory(int fd, uint8_t* data, size_t size) : fd_(fd), data_(data), size_(size) {}
  int fd_;
  uint8_t* data_;
  size_t size_;
};

class Slot {
 public:
  explicit Slot(std::shared_ptr<SlotMemory> memory) : memory_(std::move(memory)) {}
  std::shared_ptr<SlotMemory> memory() const { return memory_; }
  size_t size() const { return memory_ ? memory_->size() : 0; }
  // New memory, zeroed; the old goes when its last lease does.
  bool grow(size_t bytes, std::string& error);
  void release() { memory_.reset(); }

  // Rows of variable length in fixed strides read as zeros behind their end. Only the bytes that an earlier, longer
  // row left there need clearing, so the slot remembers how far each row is dirty.
  struct Rows {
    size_t offset = 0, stride = 0;
    size_t unseen = 0;  // how far a row behind those of `dirty` is dirty
    std::vector<size_t> dirty;
  };
  // The state for rows of this geometry. Where the geometry changed, every row counts as dirty to its end.
  Rows& rows(size_t offset, size_t stride, size_t count);
  // Call before writing anything else into the slot.
  void forgetRows() {
    rows_.stride = 0;
    fresh_ = false;
  }

 private:
  std::shared_ptr<SlotMemory> memory_;
  Rows rows_;
  bool fresh_ = true;  // nothing but zeros in the memory
};

}  // namespace headrace
