// The addon: what it is built with, and its functions.
#include <cstdlib>

#include "bindings.h"
#include "jpeg_reader.h"
#include "napi_values.h"
#include "promise_task.h"
#include "scratch.h"

namespace headrace {
namespace {

const Kernels* chosen = nullptr;

napi_value info(napi_env env, napi_callback_info) {
  napi_value result, available;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "libjpegTurbo", stringValue(env, JpegReader::version()));
  napi_set_named_property(env, result, "simd", stringValue(env, kernels().name));
  const Kernels* tables[8];
  const size_t count = availableKernels(tables, 8);
  napi_create_array_with_length(env, count, &available);
  for (uint32_t i = 0; i < count; i++) napi_set_element(env, available, i, stringValue(env, tables[i]->name));
  napi_set_named_property(env, result, "simdAvailable", available);
  return result;
}

}  // namespace

const Kernels& kernels() { return *chosen; }

}  // namespace headrace

NAPI_MODULE_INIT() {
  using namespace headrace;
  const char* error = nullptr;
  const char* forced = std::getenv("HEADRACE_SIMD");
  if (chosen == nullptr) chosen = chooseKernels(forced, &error);
  if (chosen == nullptr) return throwError(env, "E_CONFIG", std::string(error) + ", but got \"" + (forced != nullptr ? forced : "") + "\"");
  Environment::create(env);
  bind(env, exports, "info", info);
  bindMemoryMap(env, exports);
  bindSlot(env, exports);
  bindJobs(env, exports);
  return exports;
}
