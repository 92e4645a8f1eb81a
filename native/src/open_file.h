// An open regular file and the numbers that tell one version of it from another.
#pragma once
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>

namespace headrace {

// What O_DIRECT wants offsets, lengths and addresses to be multiples of. 0: this file takes none of it.
struct DirectAlignment {
  size_t offset = 0, memory = 0;
};

struct FileNumbers {
  bool regular = false;
  uint64_t inode = 0;
  uint64_t size = 0;
  double modified = 0;  // milliseconds since 1970, the double that Node's Stats have
  DirectAlignment direct;
};

// All but `direct`.
void fill(const struct stat& status, FileNumbers& out);

// The same of an open file. 0 or an errno.
int numbersOf(int fd, FileNumbers& out);
// All of them, at twice the cost.
int directNumbersOf(int fd, FileNumbers& out);

// A descriptor that is closed with its owner.
class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace headrace
