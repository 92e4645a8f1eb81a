#include "promise_task.h"

#include "napi_values.h"

namespace headrace {

void Environment::create(napi_env env) {
  auto* environment = new Environment();
  environment->env_ = env;
  napi_value name = stringValue(env, "headrace");
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, environment, settle, &environment->settle_);
  napi_unref_threadsafe_function(env, environment->settle_);  // an idle addon does not keep the process alive
  napi_set_instance_data(env, environment, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); }, nullptr);
  napi_add_env_cleanup_hook(env, [](void* data) { static_cast<Environment*>(data)->waitForTasks(); }, environment);
}

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

void Environment::started() {
  if (unsettled_++ == 0) napi_ref_threadsafe_function(env_, settle_);
  std::lock_guard lock(mutex_);
  running_++;
}

void Environment::ended(PromiseTask* task) {
  napi_call_threadsafe_function(settle_, task, napi_tsfn_nonblocking);
  std::lock_guard lock(mutex_);
  if (--running_ == 0) idle_.notify_all();
}

void Environment::waitForTasks() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return running_ == 0; });
}

void Environment::settle(napi_env env, napi_value, void* context, void* data) {
  auto* task = static_cast<PromiseTask*>(data);
  const std::shared_ptr<PromiseTask> held = std::move(task->self_);
  if (env == nullptr) return;  // the thread is going away
  auto* environment = static_cast<Environment*>(context);
  if (--environment->unsettled_ == 0) napi_unref_threadsafe_function(env, environment->settle_);
  if (task->keep_ != nullptr) napi_delete_reference(env, task->keep_);
  if (const char* failure = task->failure()) {
    napi_value error = nullptr;
    napi_create_error(env, stringValue(env, task->failureCode()), stringValue(env, failure), &error);
    napi_reject_deferred(env, task->deferred_, error);
  } else {
    napi_resolve_deferred(env, task->deferred_, task->result(env));
  }
}

napi_value PromiseTask::start(napi_env env, std::shared_ptr<PromiseTask> task, napi_value keep, Pool& pool) {
  // Node-API calls fail while the thread is being ended; what they were to fill in must not be used then.
  napi_value promise = nullptr;
  if (napi_create_promise(env, &task->deferred_, &promise) != napi_ok) return nullptr;
  if (keep != nullptr) napi_create_reference(env, keep, 1, &task->keep_);
  task->environment_ = &Environment::of(env);
  task->self_ = task;
  task->environment_->started();
  pool.submit(std::move(task));
  return promise;
}

void PromiseTask::finished() { environment_->ended(this); }

}  // namespace headrace
