// The addon: what it is built with, and its functions.
#include <dlfcn.h>

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
  napi_value result = nullptr, available = nullptr;
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

// Node unloads an addon with the last JavaScript thread that uses it, but the pool's threads and the signal handler live
// as long as the process.
void stayLoaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stayLoaded), &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
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
  stayLoaded();
  Environment::create(env);
  bind(env, exports, "info", info);
  bindClock(env, exports);
  bindChecksums(env, exports);
  bindMemoryMap(env, exports);
  bindSlot(env, exports);
  bindSlotSlab(env, exports);
  bindJobs(env, exports);
  bindPack(env, exports);
  bindYuv420(env, exports);
  bindDirect(env, exports);
  bindPageCache(env, exports);
  bindProcess(env, exports);
  bindRandom(env, exports);
  bindGreyJpeg(env, exports);
  bindTranspose(env, exports);
  return exports;
}
