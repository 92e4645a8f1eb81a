#include "slot_slab.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#if !defined(__linux__)
#include <atomic>
#include <string>
#endif

#include "slot.h"

namespace headrace {
namespace {

size_t roundUp(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

size_t pageSize() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

int openMemory() {
#if defined(__linux__)
  return ::memfd_create("headrace-slab", MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
  // A name that is taken away at once, as nothing else gives memory that can be handed on.
  static std::atomic<unsigned> count = 0;
  const std::string name = "/hr-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
  const int fd = ::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd >= 0) {
    ::shm_unlink(name.c_str());
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return fd;
#endif
}

bool setSize(int fd, size_t bytes) {
  // Where a limit on files applies, to go beyond it is a signal that ends the process.
  struct rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur) {
    errno = EFBIG;
    return false;
  }
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return false;
#if defined(__linux__)
  return ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
#else
  return true;
#endif
}

}  // namespace

std::shared_ptr<SlotSlab> SlotSlab::create(size_t bytes, int& error) {
  bytes = roundUp(bytes > 0 ? bytes : 1, pageSize());
  const int fd = openMemory();
  if (fd < 0) {
    error = errno;
    return nullptr;
  }
  void* mapped = setSize(fd, bytes) ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (mapped == MAP_FAILED) {
    error = errno;
    ::close(fd);
    return nullptr;
  }
  return std::shared_ptr<SlotSlab>(new SlotSlab(fd, static_cast<uint8_t*>(mapped), bytes));
}

SlotSlab::~SlotSlab() {
  ::munmap(data_, size_);
  ::close(fd_);
}

std::shared_ptr<SlotMemory> SlotSlab::carve(size_t bytes) {
  bytes = roundUp(bytes > 0 ? bytes : 1, pageSize());
  const std::lock_guard lock(mutex_);
  for (auto run = free_.begin(); run != free_.end(); ++run) {
    const auto [offset, length] = *run;
    if (length < bytes) continue;
    free_.erase(run);
    if (length > bytes) free_.emplace(offset + bytes, length - bytes);
    if (keepsPages_) std::memset(data_ + offset, 0, bytes);
    return SlotMemory::carved(shared_from_this(), data_ + offset, bytes);
  }
  return nullptr;
}

void SlotSlab::giveBack(uint8_t* data, size_t bytes) {
  // Pages go back to the system, and are zeros to the next one who carves them.
  if (!keepsPages_) {
#if defined(__linux__)
    if (::madvise(data, bytes, MADV_REMOVE) != 0)
#endif
      std::memset(data, 0, bytes);
  }
  const std::lock_guard lock(mutex_);
  size_t offset = static_cast<size_t>(data - data_);
  auto next = free_.lower_bound(offset);
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      free_.erase(before);
    }
  }
  if (next != free_.end() && offset + bytes == next->first) {
    bytes += next->second;
    free_.erase(next);
  }
  free_.emplace(offset, bytes);
}

}  // namespace headrace
