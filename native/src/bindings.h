// The addon's functions, bound one file a noun.
#pragma once
#include <node_api.h>

namespace headrace {

inline void bind(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

void bindClock(napi_env env, napi_value exports);
void bindChecksums(napi_env env, napi_value exports);
void bindMemoryMap(napi_env env, napi_value exports);
void bindSlot(napi_env env, napi_value exports);
void bindSlotSlab(napi_env env, napi_value exports);
void bindPack(napi_env env, napi_value exports);
void bindYuv420(napi_env env, napi_value exports);
void bindDirect(napi_env env, napi_value exports);
void bindPageCache(napi_env env, napi_value exports);
void bindProcess(napi_env env, napi_value exports);
void bindRandom(napi_env env, napi_value exports);
void bindGreyJpeg(napi_env env, napi_value exports);
void bindTranspose(napi_env env, napi_value exports);
void bindJobs(napi_env env, napi_value exports);

}  // namespace headrace
