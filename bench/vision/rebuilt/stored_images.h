#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace rebuilt {

[[noreturn]] inline void fail(const std::string& reason) {
  std::fprintf(stderr, "rebuilt: %s\n", reason.c_str());
  std::exit(1);
}

/** A file mapped for reading, as both peers and headrace read theirs; lives as long as the process. */
inline std::span<const uint8_t> map_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  struct stat status {};
  if (fd < 0 || fstat(fd, &status) != 0) fail("cannot open " + path);
  const auto bytes = static_cast<size_t>(status.st_size);
  void* const memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) fail("cannot map " + path);
  return {static_cast<const uint8_t*>(memory), bytes};
}

struct StoredImage {
  std::span<const uint8_t> jpeg;
  int width;
  int height;
};

/** The image field of a cache: image.bin, and image.meta.npy with rows of offset u8, size u8, height u4, width u4. */
class StoredImages {
 public:
  explicit StoredImages(const std::string& cache) {
    const auto blobs = map_file(cache + "/image.bin");
    const auto table = map_file(cache + "/image.meta.npy");
    if (table.size() < 12) fail("no table in " + cache);
    // .npy 1.0 has a header of u2 bytes at 8, 2.0 of u4 bytes
    const size_t prefix = table[6] == 1 ? 10 : 12;
    uint32_t header = 0;
    std::memcpy(&header, table.data() + 8, prefix - 8);
    for (size_t at = prefix + header; at + kRow <= table.size(); at += kRow) {
      uint64_t offset = 0, size = 0;
      uint32_t height = 0, width = 0;
      std::memcpy(&offset, table.data() + at, 8);
      std::memcpy(&size, table.data() + at + 8, 8);
      std::memcpy(&height, table.data() + at + 16, 4);
      std::memcpy(&width, table.data() + at + 20, 4);
      if (offset + size > blobs.size()) fail("a sample lies outside image.bin");
      images_.push_back({blobs.subspan(offset, size), static_cast<int>(width), static_cast<int>(height)});
      largest_ = std::max(largest_, static_cast<size_t>(size));
      most_pixels_ = std::max(most_pixels_, static_cast<size_t>(width) * height);
    }
    if (images_.empty()) fail("no samples in " + cache);
  }

  std::span<const StoredImage> all() const { return images_; }
  size_t largest_bytes() const { return largest_; }
  size_t most_pixels() const { return most_pixels_; }

 private:
  static constexpr size_t kRow = 24;
  std::vector<StoredImage> images_;
  size_t largest_ = 0;
  size_t most_pixels_ = 0;
};

}  // namespace rebuilt
