// Threads of the process: one pool that computes, and one whose threads wait for disks. Work comes as tasks of numbered items; each group of tasks has its own bound on
// how many threads work for it at once, so that loaders with different thread counts share the pool.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace headrace {

struct Scratch;

class Task {
 public:
  Task(size_t items, size_t group, size_t threads) : items_(items), group_(group), threads_(threads) {}
  virtual ~Task() = default;
  // Called on a pool thread, once an item; items of one task run at the same time.
  virtual void run(size_t item, Scratch& scratch) = 0;
  // Called once, on the thread that finished the last item.
  virtual void finished() = 0;

 private:
  friend class Pool;
  const size_t items_, group_, threads_;
  std::atomic<size_t> next_{0};
  size_t workers_ = 0;  // guarded by the pool's mutex
};

class Pool {
 public:
  static Pool& instance();
  // For work that waits for a disk: apart, so that none of it holds up work that computes.
  static Pool& io();
  void submit(std::shared_ptr<Task> task);
  // Scratch memory held by all threads, bytes.
  size_t scratchBytes() const { return scratchBytes_.load(std::memory_order_relaxed); }
  void accountScratch(ptrdiff_t change) { scratchBytes_.fetch_add(static_cast<size_t>(change), std::memory_order_relaxed); }

 private:
  Pool() = default;
  void work();
  void workAlone(Task& task);
  std::shared_ptr<Task> take();
  size_t wantedThreads(const Task& task) const;
  bool startThread();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Task>> tasks_;
  std::unordered_map<size_t, size_t> activeOf_;  // threads at work, by group
  size_t threads_ = 0;
  std::atomic<size_t> scratchBytes_{0};
};

}  // namespace headrace
