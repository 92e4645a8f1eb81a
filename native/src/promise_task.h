// A task on the pool whose end settles a JavaScript promise on the thread that asked. One Environment a JavaScript thread.
//
// Hazard: a worker thread may be terminated while its tasks run. Environment's clean-up hook waits for them, so that no
// pool thread touches that thread's memory afterwards.
#pragma once
#include <node_api.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "pool.h"

namespace headrace {

class PromiseTask;

class Environment {
 public:
  static void create(napi_env env);
  static Environment& of(napi_env env);

 private:
  friend class PromiseTask;
  static void settle(napi_env env, napi_value callback, void* context, void* data);
  void started();
  void ended(PromiseTask* task);
  void waitForTasks();

  napi_env env_ = nullptr;
  napi_threadsafe_function settle_ = nullptr;
  size_t unsettled_ = 0;  // promises not yet settled; JavaScript thread only
  std::mutex mutex_;
  std::condition_variable idle_;
  size_t running_ = 0;  // guarded by mutex_
};

class PromiseTask : public Task {
 public:
  using Task::Task;
  // Hands the task to a pool and returns its promise. `keep`: an object that must not be collected before the end.
  static napi_value start(napi_env env, std::shared_ptr<PromiseTask> task, napi_value keep = nullptr, Pool& pool = Pool::instance());

 protected:
  // The promise's value; JavaScript thread.
  virtual napi_value result(napi_env env) = 0;
  // Why the promise is rejected (an Error's message), or null.
  virtual const char* failure() const { return nullptr; }
  // The `code` of that Error.
  virtual const char* failureCode() const { return "EIO"; }

 private:
  friend class Environment;
  void finished() final;
  Environment* environment_ = nullptr;
  napi_deferred deferred_ = nullptr;
  napi_ref keep_ = nullptr;
  std::shared_ptr<PromiseTask> self_;  // from start until settled
};

}  // namespace headrace
