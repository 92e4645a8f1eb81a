// exitNow
#include <unistd.h>

#include "bindings.h"
#include "napi_values.h"

namespace headrace {
namespace {

// Node waits for its threads when a process exits, also for one that a system call holds and will not let go.
napi_value exitNow(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value arguments[1] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  size_t code = 0;
  if (!getSize(env, arguments[0], "code", code, 255)) return nullptr;
  ::_exit(static_cast<int>(code));
}

}  // namespace

void bindProcess(napi_env env, napi_value exports) { bind(env, exports, "exitNow", exitNow); }

}  // namespace headrace
