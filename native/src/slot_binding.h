#pragma once
#include <node_api.h>

#include <memory>

#include "slot.h"

namespace headrace {
// The Slot behind a handle, or null with a pending exception.
std::shared_ptr<Slot> slotOf(napi_env env, napi_value handle);
// A handle for it.
napi_value wrapSlot(napi_env env, std::shared_ptr<Slot> slot);
}  // namespace headrace
