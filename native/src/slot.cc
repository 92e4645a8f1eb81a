#include "slot.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace headrace {

std::shared_ptr<SlotMemory> SlotMemory::create(size_t bytes, std::string& error) {
  int fd = -1;
#if defined(__linux__)
  fd = ::memfd_create("headrace-slot", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    error = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return nullptr;
  }
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
#else
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
#endif
  if (mapped == MAP_FAILED) {
    error = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return nullptr;
  }
  return std::shared_ptr<SlotMemory>(new SlotMemory(fd, static_cast<uint8_t*>(mapped), bytes));
}

SlotMemory::~SlotMemory() {
  ::munmap(data_, size_);
  if (fd_ >= 0) ::close(fd_);
}

bool Slot::grow(size_t bytes, std::string& error) {
  if (bytes <= size()) return true;
  memory_.reset();  // first, so that both are never held at once
  memory_ = SlotMemory::create(bytes, error);
  rows_ = {};
  fresh_ = true;
  return memory_ != nullptr;
}

Slot::Rows& Slot::rows(size_t offset, size_t stride, size_t count) {
  const bool same = rows_.stride == stride && rows_.offset == offset;
  if (!same) {
    rows_.offset = offset;
    rows_.stride = stride;
    rows_.dirty.clear();
    // Clean only if nothing was ever written into the memory before this geometry.
    rows_.unseen = fresh_ ? 0 : stride;
  }
  if (rows_.dirty.size() < count) rows_.dirty.resize(count, rows_.unseen);
  fresh_ = false;
  return rows_;
}

}  // namespace headrace
