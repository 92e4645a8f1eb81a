#include "open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace headrace {
namespace {

// Where the kernel does not say (before Linux 6.1, and some file systems): right for every common block size.
constexpr size_t kUsualAlignment = 4096;

double milliseconds(int64_t seconds, int64_t nanoseconds) {
  return static_cast<double>(seconds) * 1000.0 + static_cast<double>(nanoseconds) / 1e6;
}

}  // namespace

void fill(const struct stat& status, FileNumbers& out) {
  out.regular = S_ISREG(status.st_mode);
  out.inode = status.st_ino;
  out.size = static_cast<uint64_t>(status.st_size);
#if defined(__APPLE__)
  out.modified = milliseconds(status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec);
#else
  out.modified = milliseconds(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
#endif
}

int numbersOf(int fd, FileNumbers& out) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno;
  fill(status, out);
  return 0;
}

int directNumbersOf(int fd, FileNumbers& out) {
  out.direct = {kUsualAlignment, kUsualAlignment};
#if defined(STATX_DIOALIGN)
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &status) != 0) return numbersOf(fd, out);
  out.regular = S_ISREG(status.stx_mode);
  out.inode = status.stx_ino;
  out.size = status.stx_size;
  out.modified = milliseconds(status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec);
  if ((status.stx_mask & STATX_DIOALIGN) != 0) out.direct = {status.stx_dio_offset_align, status.stx_dio_mem_align};
  return 0;
#else
  return numbersOf(fd, out);
#endif
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace headrace
