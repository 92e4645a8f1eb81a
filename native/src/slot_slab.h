// Memory that slots are carved from and that another process is handed whole, by its descriptor: one consumer's batches.
// It is sparse: what was never written, and what a slot gave back, takes no memory. On Linux it is a memfd, sealed so that
// no process can cut it short under another one (which would be SIGBUS); elsewhere shared memory without a name.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace headrace {

class SlotMemory;

class SlotSlab : public std::enable_shared_from_this<SlotSlab> {
 public:
  // Null where the system refuses; `error` is then an errno.
  static std::shared_ptr<SlotSlab> create(size_t bytes, int& error);
  ~SlotSlab();
  SlotSlab(const SlotSlab&) = delete;
  SlotSlab& operator=(const SlotSlab&) = delete;

  // Zeroed memory; null where no run of free bytes is that long. Any thread.
  std::shared_ptr<SlotMemory> carve(size_t bytes);
  // From now on what slots give back stays as it is, until it is carved again: for memory that another process goes on to
  // look at, or that a device has pinned, which would see other pages than the ones that come next.
  void keepPages() { keepsPages_ = true; }
  int fd() const { return fd_; }
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  friend class SlotMemory;
  SlotSlab(int fd, uint8_t* data, size_t size) : fd_(fd), data_(data), size_(size) { free_.emplace(0, size); }
  // When the last user of carved memory is gone, which may be a task of the pool.
  void giveBack(uint8_t* data, size_t bytes);

  const int fd_;
  uint8_t* const data_;
  const size_t size_;
  std::atomic<bool> keepsPages_ = false;
  std::mutex mutex_;
  std::map<size_t, size_t> free_;  // offset -> bytes; neighbours are joined
};

}  // namespace headrace
