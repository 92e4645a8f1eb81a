#include "slot.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <unordered_map>

#include "slot_slab.h"

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
  return std::shared_ptr<SlotMemory>(new SlotMemory(fd, static_cast<uint8_t*>(mapped), bytes, nullptr));
}

std::shared_ptr<SlotMemory> SlotMemory::carved(std::shared_ptr<SlotSlab> slab, uint8_t* data, size_t bytes) {
  return std::shared_ptr<SlotMemory>(new SlotMemory(-1, data, bytes, std::move(slab)));
}

SlotMemory::SlotMemory(int fd, uint8_t* data, size_t size, std::shared_ptr<SlotSlab> slab)
    : fd_(fd), data_(data), size_(size), slab_(std::move(slab)) {}

SlotMemory::~SlotMemory() {
  if (slab_) {
    slab_->giveBack(data_, size_);
    return;
  }
  ::munmap(data_, size_);
  if (fd_ >= 0) ::close(fd_);
}

namespace {

struct Table {
  std::mutex mutex;
  std::unordered_map<uint64_t, std::shared_ptr<SlotMemory>> memory;
  uint64_t last = 0;  // numbers are not used again: a late one finds nothing instead of something else
};

// Never destroyed: threads may end after the process began to.
Table& table() {
  static Table* const shared = new Table;
  return *shared;
}

}  // namespace

uint64_t SharedSlots::add(std::shared_ptr<SlotMemory> memory) {
  const std::lock_guard lock(table().mutex);
  table().memory.emplace(++table().last, std::move(memory));
  return table().last;
}

std::shared_ptr<SlotMemory> SharedSlots::find(uint64_t number) {
  const std::lock_guard lock(table().mutex);
  const auto found = table().memory.find(number);
  return found == table().memory.end() ? nullptr : found->second;
}

bool SharedSlots::remove(uint64_t number) {
  std::shared_ptr<SlotMemory> last;  // goes after the lock: unmapping takes long
  const std::lock_guard lock(table().mutex);
  const auto found = table().memory.find(number);
  if (found == table().memory.end()) return false;
  last = std::move(found->second);
  table().memory.erase(found);
  return true;
}

size_t SharedSlots::count() {
  const std::lock_guard lock(table().mutex);
  return table().memory.size();
}

bool Slot::grow(size_t bytes, std::string& error) {
  if (bytes <= size()) return true;
  memory_.reset();  // first, so that both are never held at once
  if (slab_) {
    memory_ = slab_->carve(bytes);
    if (!memory_) error = "its slab has no room";
  } else {
    memory_ = SlotMemory::create(bytes, error);
  }
  rows_.clear();
  touched_ = 0;
  return memory_ != nullptr;
}

std::shared_ptr<Slot::Rows> Slot::rows(size_t offset, size_t stride, size_t count) {
  const size_t end = offset + stride * count;
  const auto same = [&](const auto& rows) { return rows->offset == offset && rows->stride == stride; };
  const auto found = std::find_if(rows_.begin(), rows_.end(), same);
  std::shared_ptr<Rows> own;
  if (found != rows_.end()) {
    own = *found;
    rows_.erase(found);
  } else {
    own = std::make_shared<Rows>(Rows{offset, stride, {}});
  }
  // Rows that were not there before may lie where something else was.
  if (own->dirty.size() < count) own->dirty.resize(count, offset + stride * own->dirty.size() < touched_ ? stride : 0);
  own->used = count;
  writes(offset, end);
  rows_.push_back(own);
  return own;
}

void Slot::writes(size_t begin, size_t end) {
  std::erase_if(rows_, [&](const auto& rows) { return rows->offset < end && begin < rows->offset + rows->stride * rows->dirty.size(); });
  touched_ = std::max(touched_, end);
}

void Slot::leased(size_t bytes) {
  std::erase_if(rows_, [&](const auto& rows) { return rows->used == 0 && rows->offset < bytes; });
  for (const auto& rows : rows_) {
    if (rows->used > 0 && rows->offset + rows->stride * rows->used < bytes) rows->dirty.resize(rows->used);
    rows->used = 0;
  }
  touched_ = std::max(touched_, bytes);
}

}  // namespace headrace
