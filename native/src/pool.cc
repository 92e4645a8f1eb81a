#include "pool.h"

#include <algorithm>

#include <pthread.h>

#include "scratch.h"

namespace headrace {

// Never destroyed: threads may still wait in them while the process exits.
Pool& Pool::instance() {
  static Pool* pool = new Pool();
  return *pool;
}

Pool& Pool::io() {
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
    std::unique_lock lock(mutex_);
    const size_t wanted = wantedThreads(*task);
    while (threads_ < wanted && startThread()) threads_++;
    if (threads_ == 0) {
      lock.unlock();
      workAlone(*task);
      return;
    }
    tasks_.push_back(std::move(task));
  }
  if (useful == 1)
    wake_.notify_one();
  else
    wake_.notify_all();
}

// Threads for the items that are left of all tasks and of one more, and no more than that one may have. Needs the mutex.
size_t Pool::wantedThreads(const Task& task) const {
  const auto use = [](const Task& one) {
    const size_t next = std::min(one.next_.load(std::memory_order_relaxed), one.items_);
    return std::min(one.items_ - next + one.workers_, one.threads_);
  };
  size_t wanted = use(task);
  for (const auto& other : tasks_) wanted += use(*other);
  return std::min(wanted, task.threads_);
}

// False where the system gives no more threads: those there are do the work.
bool Pool::startThread() {
  const auto start = [](void* pool) -> void* {
    static_cast<Pool*>(pool)->work();
    return nullptr;
  };
  pthread_t thread;
  if (pthread_create(&thread, nullptr, start, this) != 0) return false;
  pthread_detach(thread);
  return true;
}

// Not one thread can be had: the work is done on the thread that asks for it.
void Pool::workAlone(Task& task) {
  Scratch scratch;
  for (size_t item = 0; item < task.items_; item++) task.run(item, scratch);
  task.finished();
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
