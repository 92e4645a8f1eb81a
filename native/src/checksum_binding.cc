// crc32, crc32c, crc64nvme
#include "bindings.h"
#include "crc32.h"
#include "crc32c.h"
#include "crc64nvme.h"
#include "napi_values.h"

namespace headrace {
namespace {

template <uint32_t (*sum)(const uint8_t*, size_t, uint32_t)>
napi_value crc32Of(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  std::span<uint8_t> bytes;
  size_t initial = 0;
  if (!getBytes(env, arguments[0], "data", bytes)) return nullptr;
  napi_valuetype type = napi_undefined;
  if (count > 1) napi_typeof(env, arguments[1], &type);
  if (type != napi_undefined && !getSize(env, arguments[1], "initial", initial, 0xffffffffu)) return nullptr;
  return numberValue(env, sum(bytes.data(), bytes.size(), static_cast<uint32_t>(initial)));
}

napi_value crc64nvmeOf(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  std::span<uint8_t> bytes;
  if (!getBytes(env, arguments[0], "data", bytes)) return nullptr;
  uint64_t initial = 0;
  bool lossless = true;
  if (count > 1 && (napi_get_value_bigint_uint64(env, arguments[1], &initial, &lossless) != napi_ok || !lossless))
    return throwType(env, "initial", "a checksum of 64 bits"), nullptr;
  napi_value result = nullptr;
  napi_create_bigint_uint64(env, crc64nvme(bytes.data(), bytes.size(), initial), &result);
  return result;
}

}  // namespace

void bindChecksums(napi_env env, napi_value exports) {
  bind(env, exports, "crc32", crc32Of<crc32>);
  bind(env, exports, "crc32c", crc32Of<crc32c>);
  bind(env, exports, "crc64nvme", crc64nvmeOf);
}

}  // namespace headrace
