// Page-aligned memory for direct I/O. What is given back is kept for the next one, up to a bound: memory that is new to
// the process costs a page fault every 4 KiB, about as much as the device's own transfer.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {

class Slab {
 public:
  // At least `bytes`, with whatever an earlier user left in it; null where there is no memory.
  static Slab take(size_t bytes);
  // New memory, zeroed.
  static Slab zeroed(size_t bytes);

  Slab() = default;
  Slab(Slab&& other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr, other.size_ = 0; }
  Slab& operator=(Slab&& other) noexcept;
  ~Slab();
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

  // Bytes in all slabs of the process, those that wait for their next user among them.
  static size_t held();
  // Gives those that wait back to the system.
  static void trim();

 private:
  Slab(uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace headrace
