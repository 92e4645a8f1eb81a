#include "block_transfer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "io_ring.h"

namespace headrace {
namespace {

uint64_t down(uint64_t value, size_t alignment) { return value & ~static_cast<uint64_t>(alignment - 1); }
uint64_t up(uint64_t value, size_t alignment) { return down(value + alignment - 1, alignment); }

// What all that work on one transfer share.
struct Progress {
  explicit Progress(const Transfer& of) : transfer(of), end(of.offset + of.length), fileEnd(of.offset + of.length) {}
  const Transfer transfer;
  const uint64_t end;
  std::atomic<size_t> next{0};
  std::atomic<int> error{0};
  std::atomic<uint64_t> fileEnd;  // where the file turned out to end, if within the range

  size_t blocks() const {
    const uint64_t first = down(transfer.offset, transfer.offsetAlignment);
    return static_cast<size_t>((end - first + transfer.blockSize - 1) / transfer.blockSize);
  }
  bool over() {
    if (transfer.cancel != nullptr && __atomic_load_n(transfer.cancel, __ATOMIC_RELAXED) != 0) fail(ECANCELED);
    return error.load(std::memory_order_relaxed) != 0;
  }
  void fail(int with) {
    int none = 0;
    error.compare_exchange_strong(none, with);
  }
  void endsAt(uint64_t position) {
    uint64_t known = fileEnd.load();
    while (position < known && !fileEnd.compare_exchange_weak(known, position)) {
    }
  }
};

// One block on its way, and the memory it may need beside the caller's.
class Block {
 public:
  explicit Block(Progress& progress) : progress_(progress), transfer_(progress.transfer) {}

  const iovec* pieces() const { return pieces_; }
  unsigned count() const { return count_; }
  uint64_t offset() const { return from_; }

  // False where nothing is left to do, or no memory for it.
  bool begin() {
    if (progress_.over()) return false;
    const size_t index = progress_.next.fetch_add(1);
    if (index >= progress_.blocks()) return false;
    const uint64_t first = down(transfer_.offset, transfer_.offsetAlignment);
    begin_ = std::max(transfer_.offset, first + index * transfer_.blockSize);
    end_ = std::min(progress_.end, first + (index + 1) * transfer_.blockSize);
    return plan();
  }

  // What came of it: bytes, or a negative errno. True where the same block goes on.
  bool finish(ssize_t result) {
    if (result == -EINTR || result == -EAGAIN) return !progress_.over();
    if (result < 0) return progress_.fail(static_cast<int>(-result)), false;
    const uint64_t reached = from_ + static_cast<uint64_t>(result);
    if (!transfer_.write) takeOver(reached);
    if (reached >= to_) return false;
    if (result == 0 || static_cast<uint64_t>(result) % transfer_.offsetAlignment != 0) {
      if (transfer_.write) progress_.fail(EIO);
      else progress_.endsAt(std::max(transfer_.offset, reached));
      return false;
    }
    begin_ = std::max(begin_, reached);
    return begin_ < end_ && !progress_.over() && plan();
  }

 private:
  uint8_t* at(uint64_t position) const { return transfer_.memory + (static_cast<int64_t>(position) - static_cast<int64_t>(transfer_.offset)); }
  bool aligned(const uint8_t* address) const { return (reinterpret_cast<uintptr_t>(address) & (transfer_.memoryAlignment - 1)) == 0; }

  bool plan() {
    from_ = down(begin_, transfer_.offsetAlignment);
    to_ = up(end_, transfer_.offsetAlignment);
    middle_ = from_ + transfer_.before >= transfer_.offset ? from_ : up(begin_, transfer_.offsetAlignment);
    middleEnd_ = to_ <= progress_.end + transfer_.after ? to_ : down(end_, transfer_.offsetAlignment);
    const bool inPlace = middle_ < middleEnd_ && aligned(at(middle_));
    if (!inPlace) middle_ = middleEnd_ = to_;
    head_ = static_cast<size_t>(middle_ - from_);
    const size_t tail = static_cast<size_t>(to_ - middleEnd_);
    const size_t tailAt = up(head_, transfer_.memoryAlignment);
    if (tailAt + tail > slab_.size()) slab_ = Slab::take(std::max(tailAt + tail, inPlace ? size_t{0} : transfer_.blockSize));
    if (tailAt + tail > 0 && slab_.data() == nullptr) return progress_.fail(ENOMEM), false;
    count_ = 0;
    if (head_ > 0) pieces_[count_++] = {slab_.data(), head_};
    if (middle_ < middleEnd_) pieces_[count_++] = {at(middle_), static_cast<size_t>(middleEnd_ - middle_)};
    tail_ = slab_.data() + tailAt;
    if (tail > 0) pieces_[count_++] = {tail_, tail};
    if (transfer_.write && !inPlace) std::memcpy(slab_.data(), at(begin_), static_cast<size_t>(end_ - begin_));
    return true;
  }

  // The part [from, to) of the file lies at `data`: what of it was asked for and has come goes to the caller.
  void copy(const uint8_t* data, uint64_t from, uint64_t to, uint64_t reached) const {
    const uint64_t first = std::max(from, begin_), last = std::min({to, end_, reached});
    if (first < last) std::memcpy(at(first), data + (first - from), static_cast<size_t>(last - first));
  }
  void takeOver(uint64_t reached) const {
    if (head_ > 0) copy(slab_.data(), from_, middle_, reached);
    if (middleEnd_ < to_) copy(tail_, middleEnd_, to_, reached);
  }

  Progress& progress_;
  const Transfer& transfer_;
  Slab slab_;
  uint64_t begin_ = 0, end_ = 0;            // asked for
  uint64_t from_ = 0, to_ = 0;              // read or written
  uint64_t middle_ = 0, middleEnd_ = 0;     // of that, straight to the caller's memory
  size_t head_ = 0;
  uint8_t* tail_ = nullptr;
  iovec pieces_[3] = {};
  unsigned count_ = 0;
};

void moveByCalls(Progress& progress) {
  const Transfer& transfer = progress.transfer;
  Block block(progress);
  while (block.begin()) {
    ssize_t result = 0;
    do {
      const auto count = static_cast<int>(block.count());
      const auto offset = static_cast<off_t>(block.offset());
      result = transfer.write ? ::pwritev(transfer.fd, block.pieces(), count, offset) : ::preadv(transfer.fd, block.pieces(), count, offset);
      if (result < 0) result = -errno;
    } while (block.finish(result));
  }
}

// Whoever begins before the first one is done takes part; those that come later find nothing to do.
class Helpers final : public Task {
 public:
  Helpers(Progress& progress, size_t count, size_t group, size_t threads) : Task(count, group, threads), progress_(&progress) {}

  void run(size_t, Scratch&) override {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      active_++;
    }
    moveByCalls(*progress_);
    std::lock_guard lock(mutex_);
    if (--active_ == 0) idle_.notify_all();
  }
  void finished() override {}

  // `progress` is used by nobody when this returns.
  void join() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait(lock, [this] { return active_ == 0; });
  }

 private:
  Progress* const progress_;
  std::mutex mutex_;
  std::condition_variable idle_;
  size_t active_ = 0;
  bool closed_ = false;
};

void moveByThreads(Progress& progress, size_t lanes, Pool& pool, size_t group, size_t threads) {
  if (lanes <= 1) return moveByCalls(progress);
  const auto helpers = std::make_shared<Helpers>(progress, lanes - 1, group, threads);
  pool.submit(helpers);
  moveByCalls(progress);
  helpers->join();
}

// Hazard: the kernel writes to the blocks' memory until their results are there, so this only returns when all are.
void moveByRing(Progress& progress, size_t lanes, IoRing& ring) {
  const Transfer& transfer = progress.transfer;
  std::vector<std::unique_ptr<Block>> blocks;
  unsigned underWay = 0;
  const auto queue = [&](size_t index) {
    const Block& block = *blocks[index];
    ring.queue(transfer.write, transfer.fd, block.pieces(), block.count(), block.offset(), index);
    underWay++;
  };
  for (size_t i = 0; i < lanes; i++) {
    blocks.push_back(std::make_unique<Block>(progress));
    if (!blocks.back()->begin()) break;
    queue(i);
  }
  while (underWay > 0) {
    const int error = ring.enter(1);
    if (error != 0 && error != EINTR && error != EAGAIN && error != EBUSY) {
      progress.fail(error);
      underWay -= ring.unqueue();
      if (underWay > 0) ::usleep(1000);
    }
    uint64_t tag = 0;
    int result = 0;
    while (ring.next(tag, result)) {
      underWay--;
      if (blocks[tag]->finish(result) || blocks[tag]->begin()) queue(tag);
    }
  }
}

}  // namespace

Moved move(const Transfer& transfer, Pool& pool, size_t group, size_t threads) {
  if (transfer.length == 0) return {};
  Progress progress(transfer);
  const size_t lanes = std::min({transfer.depth, progress.blocks(), size_t{IoRing::kDepth}});
  const bool wanted = transfer.engine == Transfer::Engine::ring || (transfer.engine == Transfer::Engine::automatic && lanes > 1);
  auto ring = wanted ? IoRing::take() : nullptr;
  Moved moved;
  if (ring) {
    moved.ring = true;
    moveByRing(progress, lanes, *ring);
    IoRing::giveBack(std::move(ring));
  } else if (transfer.engine == Transfer::Engine::ring) {
    progress.fail(EOPNOTSUPP);
  } else {
    moveByThreads(progress, lanes, pool, group, threads);
  }
  moved.error = progress.error.load();
  moved.bytes = static_cast<size_t>(progress.fileEnd.load() - transfer.offset);
  return moved;
}

}  // namespace headrace
