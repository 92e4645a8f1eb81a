#pragma once
#include <node_api.h>

#include <memory>

#include "../dct/rans.h"

namespace headrace {
// The table of a compact cache from its frequencies; nothing where the value is undefined. False with a pending exception.
bool getRansTable(napi_env env, napi_value value, std::shared_ptr<RansTable>& out);
}  // namespace headrace
