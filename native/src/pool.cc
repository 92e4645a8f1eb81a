#include "pool.h"

#include <algorithm>
#include <thread>

#include "scratch.h"

namespace headrace {

// Never destroyed: its threads may still wait in it while the process exits.
Pool& Pool::instance() {
  static Pool* pool = new Pool();
  return *pool;
}

void Pool::submit(std::shared_ptr<Task> task) {
  if (task->items_ == 0) {
    task->finished();
    return;
  }
  const size_t useful = std::min(task->items_, task->threads_);
  {
    std::lock_guard lock(mutex_);
    while (threads_ < task->threads_) {
      std::thread([this] { work(); }).detach();
      threads_++;
    }
    tasks_.push_back(std::move(task));
  }
  if (useful == 1)
    wake_.notify_one();
  else
    wake_.notify_all();
}

// The first task that has items left and whose group may use one more thread. Needs the mutex.
std::shared_ptr<Task> Pool::take() {
  for (auto& task : tasks_) {
    if (task->next_.load(std::memory_order_relaxed) >= task->items_) continue;
    size_t& active = activeOf_[task->group_];
    if (active >= task->threads_) continue;
    active++;
    task->workers_++;
    return task;
  }
  return nullptr;
}

void Pool::work() {
  Scratch scratch;
  std::unique_lock lock(mutex_);
  for (;;) {
    std::shared_ptr<Task> task = take();
    if (!task) {
      wake_.wait(lock);
      continue;
    }
    lock.unlock();
    for (size_t item; (item = task->next_.fetch_add(1, std::memory_order_relaxed)) < task->items_;)
      task->run(item, scratch);
    accountScratch(scratch.grown());
    lock.lock();

    const auto active = activeOf_.find(task->group_);
    if (--active->second == 0) activeOf_.erase(active);
    if (--task->workers_ == 0) {
      std::erase(tasks_, task);
      lock.unlock();
      task->finished();
      task.reset();
      lock.lock();
    }
    // A thread of this group is free again: a task that waited for one may start elsewhere.
    if (!tasks_.empty()) wake_.notify_one();
  }
}

}  // namespace headrace
