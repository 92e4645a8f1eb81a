// A file mapped read-only, shared by the jobs that read it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace headrace {

class MemoryMap {
 public:
  // Null with the reason in `error` (errno's text) where the file cannot be mapped. An empty file maps to size 0.
  static std::shared_ptr<MemoryMap> open(const std::string& path, std::string& error);
  ~MemoryMap();
  MemoryMap(const MemoryMap&) = delete;
  MemoryMap& operator=(const MemoryMap&) = delete;

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

  // Asks the kernel to forget the file's clean pages; dirty ones are written first.
  void dropPages();
  // The share of pages in memory, 0..1; 1 for an empty file, -1 where the system does not say.
  double residentShare() const;

 private:
  MemoryMap(int fd, const uint8_t* data, size_t size) : fd_(fd), data_(data), size_(size) {}
  int fd_;
  const uint8_t* data_;
  size_t size_;
};

}  // namespace headrace
