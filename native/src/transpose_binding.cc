// transposeItems
#include "bindings.h"
#include "napi_values.h"
#include "transpose.h"

namespace headrace {
namespace {

// Whether `bytes` hold `rows` rows of `items` items, `stride` items apart.
bool holds(std::span<const uint8_t> bytes, size_t rows, size_t items, size_t stride, size_t itemBytes) {
  if (rows == 0 || items == 0) return true;
  const size_t all = bytes.size() / itemBytes;
  if (items > all) return false;
  return rows == 1 || (stride >= items && (all - items) / stride >= rows - 1);
}

napi_value transpose(napi_env env, napi_callback_info info) {
  size_t count = 7;
  napi_value given[7] = {};
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  std::span<uint8_t> from, to;
  size_t fromStride = 0, toStride = 0, rows = 0, columns = 0, itemBytes = 0;
  if (!getBytes(env, given[0], "from", from) || !getSize(env, given[1], "fromStride", fromStride) ||
      !getBytes(env, given[2], "to", to) || !getSize(env, given[3], "toStride", toStride) ||
      !getSize(env, given[4], "rows", rows) || !getSize(env, given[5], "columns", columns) ||
      !getSize(env, given[6], "itemBytes", itemBytes, 4096))
    return nullptr;
  if (itemBytes == 0) return throwType(env, "itemBytes", "1 or more"), nullptr;
  if (!holds(from, rows, columns, fromStride, itemBytes)) return throwType(env, "from", "a matrix of that size"), nullptr;
  if (!holds(to, columns, rows, toStride, itemBytes)) return throwType(env, "to", "room for a matrix of that size"), nullptr;
  transposeItems(from.data(), fromStride, to.data(), toStride, rows, columns, itemBytes);
  return nullptr;
}

}  // namespace

void bindTranspose(napi_env env, napi_value exports) { bind(env, exports, "transposeItems", transpose); }

}  // namespace headrace
