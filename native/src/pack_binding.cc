// packJpegs, unpackJpegs, countSymbols, ransFrequencies: pictures into and out of packed coefficients.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "../dct/compact.h"
#include "../dct/jpeg_writer.h"
#include "../dct/pack.h"
#include "bindings.h"
#include "napi_values.h"
#include "pack_binding.h"
#include "promise_task.h"
#include "scratch.h"

namespace headrace {
namespace {

constexpr size_t kMaxThreads = 1024;

napi_value bytesValue(napi_env env, const std::vector<uint8_t>& bytes) {
  void* data = nullptr;
  napi_value buffer = nullptr, array = nullptr;
  if (napi_create_arraybuffer(env, bytes.size(), &data, &buffer) != napi_ok) return nullptr;
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  napi_create_typedarray(env, napi_uint8_array, bytes.size(), buffer, 0, &array);
  return array;
}

// What became of one sample.
struct Converted {
  Fault fault;
  std::vector<uint8_t> bytes;
};

// Makes other bytes of samples' bytes, an item each: Uint8Arrays, or why not.
class ConvertTask : public PromiseTask {
 public:
  ConvertTask(size_t group, size_t threads, std::vector<std::span<uint8_t>> in, std::shared_ptr<RansTable> table, double maxPixels)
      : PromiseTask(in.size(), group, threads), in_(std::move(in)), table_(std::move(table)), maxPixels_(maxPixels), out_(in_.size()) {}

 protected:
  napi_value result(napi_env env) override {
    napi_value list = nullptr;
    napi_create_array_with_length(env, out_.size(), &list);
    for (uint32_t i = 0; i < out_.size(); i++) napi_set_element(env, list, i, valueOf(env, out_[i]));
    return list;
  }

  const std::vector<std::span<uint8_t>> in_;  // kept by the promise
  const std::shared_ptr<RansTable> table_;
  const double maxPixels_;
  std::vector<Converted> out_;

 private:
  static napi_value valueOf(napi_env env, const Converted& converted) {
    if (!converted.fault) return bytesValue(env, converted.bytes);
    napi_value object = nullptr;
    napi_create_object(env, &object);
    napi_set_named_property(env, object, "code", stringValue(env, nameOf(converted.fault.code)));
    napi_set_named_property(env, object, "reason", stringValue(env, converted.fault.reason));
    return object;
  }
};

class PackTask final : public ConvertTask {
 public:
  using ConvertTask::ConvertTask;
  void run(size_t item, Scratch& scratch) override {
    auto& [fault, out] = out_[item];
    JpegOptions options;
    options.maxPixels = maxPixels_;
    fault = scratch.reader.open(in_[item].data(), in_[item].size(), options);
    if (!fault) fault = scratch.reader.coefficients(scratch.packer);
    if (!fault) fault = scratch.packer.finish(out);
    scratch.trim();
    if (fault || !table_) return;
    std::vector<uint8_t> plain(std::move(out));
    const size_t size = plain.size();
    plain.resize(size + kStripPadding);
    fault = compact({plain.data(), size}, *table_, kernels(), out);
  }
};

class UnpackTask final : public ConvertTask {
 public:
  using ConvertTask::ConvertTask;
  void run(size_t item, Scratch& scratch) override {
    auto& [fault, out] = out_[item];
    Coefficients coefficients;
    fault = scratch.packed.open(in_[item], 0, table_.get(), maxPixels_);
    if (!fault) fault = scratch.packed.coefficients(coefficients);
    if (!fault) fault = writeJpeg(coefficients, out);
    scratch.trim();
  }
};

template <typename T>
napi_value convert(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value job = nullptr;
  napi_get_cb_info(env, info, &count, &job, nullptr, nullptr);
  const napi_value samples = property(env, job, "samples");
  std::vector<std::span<uint8_t>> in;
  for (const napi_value sample : arrayItems(env, samples))
    if (!getBytes(env, sample, "samples", in.emplace_back())) return nullptr;
  std::shared_ptr<RansTable> table;
  size_t threads = 0, group = 0;
  double maxPixels = 0;
  if (!getRansTable(env, property(env, job, "table"), table) ||
      !getSize(env, property(env, job, "threads"), "threads", threads, kMaxThreads) ||
      !getSize(env, property(env, job, "group"), "group", group) || !getNumber(env, property(env, job, "maxPixels"), "maxPixels", maxPixels))
    return nullptr;
  return PromiseTask::start(env, std::make_shared<T>(group, std::max<size_t>(1, threads), std::move(in), std::move(table), maxPixels), samples);
}

napi_value addSymbolCounts(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  std::span<uint8_t> packed;
  std::span<const double> sums;
  if (!getBytes(env, arguments[0], "packed", packed) || !getFloat64s(env, arguments[1], "counts", sums)) return nullptr;
  if (sums.size() != kRansContexts * kSymbols) return throwType(env, "counts", "16 x 256 numbers"), nullptr;
  std::vector<uint8_t> padded(packed.begin(), packed.end());
  padded.resize(packed.size() + kStripPadding);
  RansCounts counts{};
  if (const Fault fault = countSymbols({padded.data(), packed.size()}, kernels(), counts)) return throwError(env, nameOf(fault.code), fault.reason);
  auto* out = const_cast<double*>(sums.data());
  for (size_t i = 0; i < counts.size(); i++) out[i] += counts[i];
  return undefinedValue(env);
}

napi_value ransFrequencies(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr, buffer = nullptr, array = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  std::span<const double> sums;
  if (!getFloat64s(env, argument, "counts", sums)) return nullptr;
  const bool sound = std::all_of(sums.begin(), sums.end(), [](double sum) { return sum >= 0 && sum < 1e15; });
  if (sums.size() != kRansContexts * kSymbols || !sound) return throwType(env, "counts", "16 x 256 numbers"), nullptr;
  RansCounts counts;
  std::copy(sums.begin(), sums.end(), counts.begin());
  const RansFrequencies frequencies = frequenciesOf(counts);
  void* data = nullptr;
  if (napi_create_arraybuffer(env, sizeof frequencies, &data, &buffer) != napi_ok) return nullptr;
  std::memcpy(data, frequencies.data(), sizeof frequencies);
  napi_create_typedarray(env, napi_uint16_array, frequencies.size(), buffer, 0, &array);
  return array;
}

}  // namespace

bool getRansTable(napi_env env, napi_value value, std::shared_ptr<RansTable>& out) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_undefined) return true;
  std::span<const uint16_t> frequencies;
  if (!getUint16s(env, value, "table", frequencies)) return false;
  // A cache has one table for all its samples: calls nearly always bring the one that the last call brought.
  static std::mutex mutex;
  static std::shared_ptr<RansTable> last;
  std::lock_guard lock(mutex);
  if (last && std::equal(frequencies.begin(), frequencies.end(), last->frequencies.begin(), last->frequencies.end())) {
    out = last;
    return true;
  }
  out = std::make_shared<RansTable>();
  if (!out->build(frequencies)) return throwType(env, "table", "16 rows of 256 frequencies, each at least 1, that sum to 1024 a row");
  last = out;
  return true;
}

void bindPack(napi_env env, napi_value exports) {
  bind(env, exports, "packJpegs", convert<PackTask>);
  bind(env, exports, "unpackJpegs", convert<UnpackTask>);
  bind(env, exports, "addSymbolCounts", addSymbolCounts);
  bind(env, exports, "ransFrequencies", ransFrequencies);
}

}  // namespace headrace
