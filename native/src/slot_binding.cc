// createSlot, growSlot, slotBytes, destroySlot, leaseSlot, leaseSlotParts, shareSlot, leaseShared, unshareSlot, sharedSlots, detach
#include "slot_binding.h"

#include "bindings.h"
#include "napi_values.h"

namespace headrace {
namespace {

void adjustCount(napi_env env, int64_t change) {
  int64_t total = 0;
  napi_adjust_external_memory(env, change, &total);
}

constexpr napi_type_tag kSlotTag = {0x6865616472616365, 0x736c6f74736c6f74};

napi_value createSlot(napi_env env, napi_callback_info info) {
  size_t count = 1, bytes = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!getSize(env, argument, "bytes", bytes)) return nullptr;
  std::string error;
  auto memory = SlotMemory::create(bytes > 0 ? bytes : 1, error);
  if (!memory) return throwError(env, "ENOMEM", "no memory for a slot of " + std::to_string(bytes) + " bytes: " + error);
  return wrapSlot(env, std::make_shared<Slot>(std::move(memory)));
}

napi_value growSlot(napi_env env, napi_callback_info info) {
  size_t count = 2, bytes = 0;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto slot = slotOf(env, arguments[0]);
  if (!slot || !getSize(env, arguments[1], "bytes", bytes)) return nullptr;
  std::string error;
  if (!slot->grow(bytes, error))
    return throwError(env, "ENOMEM", "no memory for a slot of " + std::to_string(bytes) + " bytes: " + error);
  return undefinedValue(env);
}

napi_value slotBytes(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  const auto slot = slotOf(env, argument);
  return slot ? numberValue(env, static_cast<double>(slot->size())) : nullptr;
}

napi_value destroySlot(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  const auto slot = slotOf(env, argument);
  if (!slot) return nullptr;
  slot->release();
  return undefinedValue(env);
}

// Bytes [begin, end) of the memory as an ArrayBuffer.
napi_value lease(napi_env env, std::shared_ptr<SlotMemory> memory, size_t begin, size_t end) {
  const size_t bytes = end - begin;
  // The lease holds the mapping: the buffer stays valid whatever becomes of the slot.
  auto* held = new std::shared_ptr<SlotMemory>(std::move(memory));
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, (*held)->data() + begin, bytes, [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<SlotMemory>*>(hint); }, held,
      &buffer);
  if (status != napi_ok) {
    delete held;
    return throwError(env, "ENOTSUP", "this Node.js refuses ArrayBuffers over external memory");
  }
  // V8 counts every ArrayBuffer as memory that a collection could free, and collects when much comes and goes. A slot's
  // memory stays, so its count is taken back here and given again before `detach`: between batches the count is where it
  // was. (Before creating it, V8's low-water mark would sink and a batch still look like growth.) Buffers above 64 MiB
  // pass V8's limit at once and cost a collection each all the same: a large batch has several.
  adjustCount(env, -static_cast<int64_t>(bytes));
  return buffer;
}

napi_value leaseSlot(napi_env env, napi_callback_info info) {
  size_t count = 2, bytes = 0;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto slot = slotOf(env, arguments[0]);
  if (!slot || !getSize(env, arguments[1], "bytes", bytes)) return nullptr;
  if (bytes > slot->size()) return throwType(env, "bytes", ("at most the slot's " + std::to_string(slot->size())).c_str()), nullptr;
  slot->leased(bytes);
  return lease(env, slot->memory(), 0, bytes);
}

napi_value leaseSlotParts(napi_env env, napi_callback_info info) {
  size_t count = 3, bytes = 0;
  napi_value arguments[3] = {}, list = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto slot = slotOf(env, arguments[0]);
  if (!slot || !getSize(env, arguments[1], "bytes", bytes)) return nullptr;
  if (bytes > slot->size()) return throwType(env, "bytes", ("at most the slot's " + std::to_string(slot->size())).c_str()), nullptr;
  std::vector<size_t> edges;
  for (const napi_value start : arrayItems(env, arguments[2])) {
    if (!getSize(env, start, "starts", edges.emplace_back())) return nullptr;
    if (edges.size() == 1 ? edges[0] != 0 : edges.back() <= edges[edges.size() - 2] || edges.back() >= bytes)
      return throwType(env, "starts", "ascending places in the slot's bytes, the first 0"), nullptr;
  }
  if (edges.empty()) return throwType(env, "starts", "at least one place"), nullptr;
  edges.push_back(bytes);
  slot->leased(bytes);
  napi_create_array_with_length(env, edges.size() - 1, &list);
  for (uint32_t i = 0; i + 1 < edges.size(); i++) {
    const napi_value part = lease(env, slot->memory(), edges[i], edges[i + 1]);
    if (part == nullptr) return nullptr;
    napi_set_element(env, list, i, part);
  }
  return list;
}

napi_value shareSlot(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  const auto slot = slotOf(env, argument);
  return slot ? numberValue(env, static_cast<double>(SharedSlots::add(slot->memory()))) : nullptr;
}

napi_value leaseShared(napi_env env, napi_callback_info info) {
  size_t count = 3, number = 0, offset = 0;
  napi_value arguments[3] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (!getSize(env, arguments[0], "number", number)) return nullptr;
  if (count > 1 && !getSize(env, arguments[1], "offset", offset)) return nullptr;
  auto memory = SharedSlots::find(number);
  if (!memory) return throwType(env, "number", "that of a shared slot"), nullptr;
  if (offset > memory->size()) return throwType(env, "offset", ("at most the slot's " + std::to_string(memory->size())).c_str()), nullptr;
  size_t bytes = memory->size() - offset;
  if (count > 2 && !getSize(env, arguments[2], "bytes", bytes, bytes)) return nullptr;
  return lease(env, std::move(memory), offset, offset + bytes);
}

napi_value unshareSlot(napi_env env, napi_callback_info info) {
  size_t count = 1, number = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!getSize(env, argument, "number", number)) return nullptr;
  if (!SharedSlots::remove(number)) return throwType(env, "number", "that of a shared slot"), nullptr;
  return undefinedValue(env);
}

napi_value sharedSlots(napi_env env, napi_callback_info) { return numberValue(env, static_cast<double>(SharedSlots::count())); }

napi_value detach(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  bool is = false;
  if (napi_is_arraybuffer(env, argument, &is) != napi_ok || !is) return throwType(env, "buffer", "an ArrayBuffer"), nullptr;
  size_t bytes = 0;
  napi_get_arraybuffer_info(env, argument, nullptr, &bytes);
  adjustCount(env, static_cast<int64_t>(bytes));
  if (napi_detach_arraybuffer(env, argument) != napi_ok) adjustCount(env, -static_cast<int64_t>(bytes));
  return undefinedValue(env);
}

}  // namespace

std::shared_ptr<Slot> slotOf(napi_env env, napi_value handle) {
  auto* held = unwrapShared<Slot>(env, handle, kSlotTag);
  if (held != nullptr && (*held)->memory()) return *held;
  throwType(env, "slot", "a slot that is not destroyed");
  return nullptr;
}

napi_value wrapSlot(napi_env env, std::shared_ptr<Slot> slot) { return wrapShared(env, std::move(slot), kSlotTag); }

void bindSlot(napi_env env, napi_value exports) {
  bind(env, exports, "createSlot", createSlot);
  bind(env, exports, "growSlot", growSlot);
  bind(env, exports, "slotBytes", slotBytes);
  bind(env, exports, "destroySlot", destroySlot);
  bind(env, exports, "leaseSlot", leaseSlot);
  bind(env, exports, "leaseSlotParts", leaseSlotParts);
  bind(env, exports, "shareSlot", shareSlot);
  bind(env, exports, "leaseShared", leaseShared);
  bind(env, exports, "unshareSlot", unshareSlot);
  bind(env, exports, "sharedSlots", sharedSlots);
  bind(env, exports, "detach", detach);
}

}  // namespace headrace
