// io_uring by its system calls. A ring belongs to one transfer at a time and is used again by the next.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace headrace {

class IoRing {
 public:
  // Reads and writes that can be under way at once.
  static constexpr unsigned kDepth = 64;

  // Whether the kernel offers rings to this process: asked once, by sending one through.
  static bool offered();
  // Null where the kernel gives no ring (now).
  static std::unique_ptr<IoRing> take();
  static void giveBack(std::unique_ptr<IoRing> ring);
  // Closes the rings that wait for their next user.
  static void trim();

  ~IoRing();
  IoRing(const IoRing&) = delete;
  IoRing& operator=(const IoRing&) = delete;

  // `pieces` must stay where it is until the result is there. At most kDepth at once.
  void queue(bool write, int fd, const iovec* pieces, unsigned count, uint64_t offset, uint64_t tag);
  // Hands over what is queued and waits for `wanted` results. 0 or an errno.
  int enter(unsigned wanted);
  // The next result: bytes, or a negative errno. False when there is none yet.
  bool next(uint64_t& tag, int& result);
  // Takes back what is queued and was not handed over.
  unsigned unqueue();

 private:
  IoRing() = default;
  bool open();
  bool works();

  int fd_ = -1;
  void* rings_ = nullptr;
  size_t ringBytes_ = 0;
  void* entries_ = nullptr;
  size_t entryBytes_ = 0;
  unsigned *submitHead_ = nullptr, *submitTail_ = nullptr, *submitIndex_ = nullptr;
  unsigned *doneHead_ = nullptr, *doneTail_ = nullptr;
  void* done_ = nullptr;
  unsigned submitMask_ = 0, doneMask_ = 0;
  unsigned queued_ = 0;
};

}  // namespace headrace
