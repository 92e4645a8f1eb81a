#include "io_ring.h"

#if defined(__linux__) && __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

namespace headrace {
namespace {

// The numbers are the same on every architecture.
constexpr long kSetup = 425, kEnter = 426;

// Rings that wait for their next user: as many as transfers commonly run at once.
constexpr size_t kKept = 4;

struct Kept {
  std::mutex mutex;
  std::vector<std::unique_ptr<IoRing>> rings;
};

// Never destroyed: pool threads may give rings back while the process exits.
Kept& kept() {
  static Kept* kept = new Kept();
  return *kept;
}

template <typename T>
T* at(void* base, unsigned offset) {
  return reinterpret_cast<T*>(static_cast<uint8_t*>(base) + offset);
}

unsigned load(const unsigned* value) { return __atomic_load_n(value, __ATOMIC_ACQUIRE); }
void store(unsigned* value, unsigned to) { __atomic_store_n(value, to, __ATOMIC_RELEASE); }

}  // namespace

bool IoRing::open() {
  io_uring_params params{};
  fd_ = static_cast<int>(::syscall(kSetup, kDepth, &params));
  if (fd_ < 0) return false;
  // Without these (Linux before 5.5) results could be lost or the pieces of a read be looked at too late.
  constexpr unsigned kNeeded = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;
  if ((params.features & kNeeded) != kNeeded) return false;
  ringBytes_ = std::max<size_t>(params.sq_off.array + params.sq_entries * sizeof(unsigned),
                                params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  void* rings = ::mmap(nullptr, ringBytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) return false;
  rings_ = rings;
  entryBytes_ = params.sq_entries * sizeof(io_uring_sqe);
  void* entries = ::mmap(nullptr, entryBytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, IORING_OFF_SQES);
  if (entries == MAP_FAILED) return false;
  entries_ = entries;
  submitHead_ = at<unsigned>(rings_, params.sq_off.head);
  submitTail_ = at<unsigned>(rings_, params.sq_off.tail);
  submitIndex_ = at<unsigned>(rings_, params.sq_off.array);
  submitMask_ = *at<unsigned>(rings_, params.sq_off.ring_mask);
  doneHead_ = at<unsigned>(rings_, params.cq_off.head);
  doneTail_ = at<unsigned>(rings_, params.cq_off.tail);
  doneMask_ = *at<unsigned>(rings_, params.cq_off.ring_mask);
  done_ = at<void>(rings_, params.cq_off.cqes);
  return true;
}

IoRing::~IoRing() {
  if (entries_ != nullptr) ::munmap(entries_, entryBytes_);
  if (rings_ != nullptr) ::munmap(rings_, ringBytes_);
  if (fd_ >= 0) ::close(fd_);
}

void IoRing::queue(bool write, int fd, const iovec* pieces, unsigned count, uint64_t offset, uint64_t tag) {
  const unsigned tail = *submitTail_;  // only this thread moves it
  const unsigned index = tail & submitMask_;
  auto& entry = static_cast<io_uring_sqe*>(entries_)[index];
  std::memset(&entry, 0, sizeof entry);
  entry.opcode = pieces == nullptr ? IORING_OP_NOP : write ? IORING_OP_WRITEV : IORING_OP_READV;
  entry.fd = fd;
  entry.addr = reinterpret_cast<uint64_t>(pieces);
  entry.len = count;
  entry.off = offset;
  entry.user_data = tag;
  submitIndex_[index] = index;
  store(submitTail_, tail + 1);
  queued_++;
}

int IoRing::enter(unsigned wanted) {
  const long handed = ::syscall(kEnter, fd_, queued_, wanted, wanted > 0 ? IORING_ENTER_GETEVENTS : 0u, nullptr, 0);
  if (handed < 0) return errno;
  queued_ -= static_cast<unsigned>(handed);
  return 0;
}

bool IoRing::next(uint64_t& tag, int& result) {
  const unsigned head = *doneHead_;  // only this thread moves it
  if (head == load(doneTail_)) return false;
  const auto& entry = static_cast<const io_uring_cqe*>(done_)[head & doneMask_];
  tag = entry.user_data;
  result = entry.res;
  store(doneHead_, head + 1);
  return true;
}

unsigned IoRing::unqueue() {
  const unsigned left = queued_;
  store(submitTail_, *submitTail_ - left);
  queued_ = 0;
  return left;
}

bool IoRing::works() {
  queue(false, -1, nullptr, 0, 0, 7);
  for (int attempt = 0; attempt < 100; attempt++) {
    const int error = enter(1);
    if (error != 0 && error != EINTR) return false;
    uint64_t tag = 0;
    int result = 0;
    if (next(tag, result)) return tag == 7 && result == 0;
  }
  return false;
}

bool IoRing::offered() {
  static const bool offered = [] {
    std::unique_ptr<IoRing> ring(new IoRing());
    return ring->open() && ring->works();
  }();
  return offered;
}

std::unique_ptr<IoRing> IoRing::take() {
  if (!offered()) return nullptr;
  {
    std::lock_guard lock(kept().mutex);
    if (!kept().rings.empty()) {
      auto ring = std::move(kept().rings.back());
      kept().rings.pop_back();
      return ring;
    }
  }
  std::unique_ptr<IoRing> ring(new IoRing());
  return ring->open() ? std::move(ring) : nullptr;
}

void IoRing::giveBack(std::unique_ptr<IoRing> ring) {
  std::lock_guard lock(kept().mutex);
  if (kept().rings.size() < kKept) kept().rings.push_back(std::move(ring));
}

void IoRing::trim() {
  std::vector<std::unique_ptr<IoRing>> rings;
  std::lock_guard lock(kept().mutex);
  rings.swap(kept().rings);
}

}  // namespace headrace

#else

namespace headrace {
bool IoRing::offered() { return false; }
std::unique_ptr<IoRing> IoRing::take() { return nullptr; }
void IoRing::giveBack(std::unique_ptr<IoRing>) {}
void IoRing::trim() {}
IoRing::~IoRing() = default;
void IoRing::queue(bool, int, const iovec*, unsigned, uint64_t, uint64_t) {}
int IoRing::enter(unsigned) { return 0; }
bool IoRing::next(uint64_t&, int&) { return false; }
unsigned IoRing::unqueue() { return 0; }
}  // namespace headrace

#endif
