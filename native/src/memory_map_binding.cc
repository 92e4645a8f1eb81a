// mapFile, unmapFile, dropPages, residentShare, readMapped, crc32cMapped, tryLock
#include <sys/file.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "bindings.h"
#include "bus_guard.h"
#include "bytes_source.h"
#include "crc32c.h"
#include "napi_values.h"
#include "promise_task.h"
#include "system_code.h"

namespace headrace {
namespace {

constexpr napi_type_tag kMapTag = {0x6865616472616365, 0x6d656d6f72796d61};

napi_value mapFile(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  std::string path, error;
  if (!getString(env, argument, "path", path)) return nullptr;
  errno = 0;
  auto map = MemoryMap::open(path, error);
  if (!map) return throwError(env, systemCode(errno), "cannot map " + path + ": " + error);
  napi_value result = nullptr;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "bytes", numberValue(env, static_cast<double>(map->size())));
  napi_set_named_property(env, result, "handle", wrapShared(env, std::move(map), kMapTag));
  return result;
}

std::shared_ptr<MemoryMap>* heldMap(napi_env env, napi_value mapped) {
  auto* held = unwrapShared<MemoryMap>(env, property(env, mapped, "handle"), kMapTag);
  if (held != nullptr && *held) return held;
  throwType(env, "map", "a mapped file that is not unmapped yet");
  return nullptr;
}

napi_value unmapFile(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  auto* held = unwrapShared<MemoryMap>(env, property(env, argument, "handle"), kMapTag);
  if (held == nullptr) return throwType(env, "map", "a mapped file"), nullptr;
  held->reset();  // jobs that run still hold it
  return undefinedValue(env);
}

napi_value dropPages(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  const auto map = mapOf(env, argument);
  if (!map) return nullptr;
  map->dropPages();
  return undefinedValue(env);
}

napi_value residentShare(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  const auto map = mapOf(env, argument);
  return map ? numberValue(env, map->residentShare()) : nullptr;
}

// The caller brings the memory: Node-API ends the process where an ArrayBuffer cannot be had, JavaScript throws.
napi_value readMapped(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto map = mapOf(env, arguments[0]);
  size_t offset = 0;
  std::span<uint8_t> out;
  if (!map || !getSize(env, arguments[1], "offset", offset) || !getBytes(env, arguments[2], "out", out)) return nullptr;
  if (offset > map->size() || out.size() > map->size() - offset)
    return throwError(env, "ERANGE", "bytes " + std::to_string(offset) + " + " + std::to_string(out.size()) + " lie outside the file of " +
                                         std::to_string(map->size()) + " bytes");
  if (!withBusGuard([&] { if (!out.empty()) std::memcpy(out.data(), map->data() + offset, out.size()); }))
    return throwError(env, "EIO", kUnreadable);
  return undefinedValue(env);
}

// Checksums of ranges, several ranges an item so that small ones do not cost an atomic each.
class ChecksumTask final : public PromiseTask {
 public:
  static constexpr size_t kRangesPerItem = 16;
  ChecksumTask(std::shared_ptr<MemoryMap> map, std::span<const double> offsets, std::span<const double> sizes, size_t threads)
      : PromiseTask((offsets.size() + kRangesPerItem - 1) / kRangesPerItem, 0, threads),
        map_(std::move(map)), offsets_(offsets.begin(), offsets.end()), sizes_(sizes.begin(), sizes.end()), sums_(offsets.size()) {}

  void run(size_t item, Scratch&) override {
    const size_t end = std::min(sums_.size(), (item + 1) * kRangesPerItem);
    for (size_t i = item * kRangesPerItem; i < end; i++)
      if (!withBusGuard([&] { sums_[i] = crc32c(map_->data() + static_cast<size_t>(offsets_[i]), static_cast<size_t>(sizes_[i])); }))
        unreadable_ = true;
  }

 protected:
  const char* failure() const override { return unreadable_ ? kUnreadable : nullptr; }
  napi_value result(napi_env env) override {
    void* data = nullptr;
    napi_value buffer = nullptr, array = nullptr;
    if (napi_create_arraybuffer(env, sums_.size() * 4, &data, &buffer) != napi_ok) return undefinedValue(env);
    std::memcpy(data, sums_.data(), sums_.size() * 4);
    napi_create_typedarray(env, napi_uint32_array, sums_.size(), buffer, 0, &array);
    return array;
  }

 private:
  std::shared_ptr<MemoryMap> map_;
  std::vector<double> offsets_, sizes_;
  std::vector<uint32_t> sums_;
  std::atomic<bool> unreadable_{false};
};

napi_value crc32cMapped(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value arguments[4] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto map = mapOf(env, arguments[0]);
  std::span<const double> offsets, sizes;
  size_t threads = 0;
  if (!map || !getFloat64s(env, arguments[1], "offsets", offsets) || !getFloat64s(env, arguments[2], "sizes", sizes) ||
      !getSize(env, arguments[3], "threads", threads, 1024))
    return nullptr;
  if (offsets.size() != sizes.size()) return throwType(env, "sizes", "as long as offsets"), nullptr;
  const auto limit = static_cast<double>(map->size());
  for (size_t i = 0; i < offsets.size(); i++)
    if (!(offsets[i] >= 0) || !(sizes[i] >= 0) || offsets[i] + sizes[i] > limit)
      return throwError(env, "ERANGE", "range " + std::to_string(i) + " lies outside the file of " + std::to_string(map->size()) + " bytes");
  return PromiseTask::start(env, std::make_shared<ChecksumTask>(map, offsets, sizes, std::max<size_t>(1, threads)));
}

napi_value tryLock(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  size_t fd = 0;
  if (!getSize(env, argument, "fd", fd, 1 << 30)) return nullptr;
  const int status = ::flock(static_cast<int>(fd), LOCK_EX | LOCK_NB);
  if (status != 0 && errno != EWOULDBLOCK) return throwError(env, "EIO", std::string("flock: ") + std::strerror(errno));
  return boolValue(env, status == 0);
}

}  // namespace

std::shared_ptr<MemoryMap> mapOf(napi_env env, napi_value mapped) {
  auto* held = heldMap(env, mapped);
  return held != nullptr ? *held : nullptr;
}

bool BytesSource::read(napi_env env, napi_value job) {
  const napi_value source = property(env, job, "source");
  bool typed = false;
  napi_is_typedarray(env, source, &typed);
  if (typed) {
    std::span<uint8_t> memory;
    if (!getBytes(env, source, "source", memory)) return false;
    bytes = memory;
  } else {
    map = mapOf(env, source);
    if (!map) return false;
    bytes = {map->data(), map->size()};
  }
  std::span<const double> from, lengths;
  if (!getFloat64s(env, property(env, job, "sourceOffsets"), "sourceOffsets", from) ||
      !getFloat64s(env, property(env, job, "sourceSizes"), "sourceSizes", lengths))
    return false;
  if (from.size() != lengths.size()) return throwType(env, "sourceSizes", "as long as sourceOffsets");
  offsets.assign(from.begin(), from.end());
  sizes.assign(lengths.begin(), lengths.end());
  return true;
}

Fault BytesSource::at(size_t sample, std::span<const uint8_t>& out) const {
  const double offset = offsets[sample], size = sizes[sample];
  if (!(offset >= 0) || !(size >= 0) || offset + size > static_cast<double>(bytes.size()))
    return Fault::of(FaultCode::corrupt, "bytes %.0f + %.0f lie outside the file of %zu bytes", offset, size, bytes.size()).always();
  out = bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  return {};
}

void bindMemoryMap(napi_env env, napi_value exports) {
  bind(env, exports, "mapFile", mapFile);
  bind(env, exports, "unmapFile", unmapFile);
  bind(env, exports, "dropPages", dropPages);
  bind(env, exports, "residentShare", residentShare);
  bind(env, exports, "readMapped", readMapped);
  bind(env, exports, "crc32cMapped", crc32cMapped);
  bind(env, exports, "tryLock", tryLock);
}

}  // namespace headrace
