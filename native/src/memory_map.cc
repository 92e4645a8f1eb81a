#include "memory_map.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "bus_guard.h"

namespace headrace {

std::shared_ptr<MemoryMap> MemoryMap::open(const std::string& path, std::string& error) {
  // NONBLOCK: a FIFO of that name must not hold us up.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    error = std::strerror(errno);
    return nullptr;
  }
  struct stat status {};
  const bool known = ::fstat(fd, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    error = known ? "not a regular file" : std::strerror(errno);
    ::close(fd);
    return nullptr;
  }
  const auto size = static_cast<size_t>(status.st_size);
  const uint8_t* data = nullptr;
  if (size > 0) {
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
      error = std::strerror(errno);
      ::close(fd);
      return nullptr;
    }
    data = static_cast<const uint8_t*>(mapped);
  }
  installBusGuard();
  return std::shared_ptr<MemoryMap>(new MemoryMap(fd, data, size));
}

MemoryMap::~MemoryMap() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
  ::close(fd_);
}

void MemoryMap::dropPages() {
  if (data_ == nullptr) return;
  ::fsync(fd_);
  // Pages that this mapping holds are not dropped by the file's advice, so they are let go first.
  ::madvise(const_cast<uint8_t*>(data_), size_, MADV_DONTNEED);
#if defined(__linux__)
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
#endif
}

double MemoryMap::residentShare() const {
  if (data_ == nullptr) return 1;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t pages = (size_ + page - 1) / page;
#if defined(__APPLE__)
  std::vector<char> state(pages);
#else
  std::vector<unsigned char> state(pages);
#endif
  if (::mincore(const_cast<uint8_t*>(data_), size_, state.data()) != 0) return -1;
  size_t resident = 0;
  for (const auto s : state) resident += s & 1;
  return static_cast<double>(resident) / static_cast<double>(pages);
}

}  // namespace headrace
