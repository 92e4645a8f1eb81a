#include "slab.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace headrace {
namespace {

// 96 MiB: what JavaScript drops between two collections where it reads into new memory, so that most of it is used again.
constexpr size_t kKept = 96 << 20;

constexpr size_t kHugePage = 2 << 20;

struct Kept {
  std::mutex mutex;
  std::vector<std::pair<uint8_t*, size_t>> slabs;
  size_t bytes = 0;
};

// Never destroyed: pool threads may give slabs back while the process exits.
Kept& kept() {
  static Kept* kept = new Kept();
  return *kept;
}

std::atomic<size_t> heldBytes{0};

size_t pages(size_t bytes) {
  static const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (std::max<size_t>(bytes, 1) + page - 1) / page * page;
}

void unmap(uint8_t* data, size_t size) {
  ::munmap(data, size);
  heldBytes.fetch_sub(size, std::memory_order_relaxed);
}

}  // namespace

Slab Slab::zeroed(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return {};
  const size_t size = pages(bytes);
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (mapped == MAP_FAILED) return {};
#if defined(MADV_HUGEPAGE)
  // The kernel pins memory for the device page by page: with huge pages that is a third of a transfer's CPU less.
  if (size >= kHugePage) ::madvise(mapped, size, MADV_HUGEPAGE);
#endif
  heldBytes.fetch_add(size, std::memory_order_relaxed);
  return {static_cast<uint8_t*>(mapped), size};
}

Slab Slab::take(size_t bytes) {
  {
    Kept& all = kept();
    std::lock_guard lock(all.mutex);
    // A much larger one stays for whoever needs it.
    const auto fits = [&](const auto& slab) { return slab.second >= bytes && slab.second / 4 <= pages(bytes); };
    const auto found = std::find_if(all.slabs.rbegin(), all.slabs.rend(), fits);
    if (found != all.slabs.rend()) {
      const auto [data, size] = *found;
      all.slabs.erase(std::next(found).base());
      all.bytes -= size;
      return {data, size};
    }
  }
  return zeroed(bytes);
}

Slab::~Slab() {
  if (data_ == nullptr) return;
  {
    Kept& all = kept();
    std::lock_guard lock(all.mutex);
    if (all.bytes + size_ <= kKept) {
      all.slabs.emplace_back(data_, size_);
      all.bytes += size_;
      return;
    }
  }
  unmap(data_, size_);
}

Slab& Slab::operator=(Slab&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

size_t Slab::held() { return heldBytes.load(std::memory_order_relaxed); }

void Slab::trim() {
  std::vector<std::pair<uint8_t*, size_t>> slabs;
  {
    Kept& all = kept();
    std::lock_guard lock(all.mutex);
    slabs.swap(all.slabs);
    all.bytes = 0;
  }
  for (const auto& [data, size] : slabs) unmap(data, size);
}

}  // namespace headrace
