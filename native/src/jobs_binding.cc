// decodeImages, copyRows, scratchBytes: one call a batch, on the pool.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "bindings.h"
#include "bus_guard.h"
#include "bytes_source.h"
#include "image_decode.h"
#include "napi_values.h"
#include "pack_binding.h"
#include "promise_task.h"
#include "slot_binding.h"

namespace headrace {
namespace {

constexpr size_t kBoxColumns = 9;
constexpr size_t kMaxThreads = 1024;
// Batches of stored bytes from here on are written past the caches: with the ones that are made ahead they would not stay
// there, and reading every line before it is overwritten would cost a third of the time.
constexpr size_t kPastCaches = 4 << 20;

// A job over the rows of a batch that collects the rows that failed.
class BatchTask : public PromiseTask {
 public:
  // `source` is taken by reference: its count is read for `items` in the same call.
  BatchTask(size_t items, size_t group, size_t threads, BytesSource&& source, std::shared_ptr<SlotMemory> memory)
      : PromiseTask(items, group, threads), source_(std::move(source)), memory_(std::move(memory)) {}

 protected:
  void report(size_t row, const Fault& fault) {
    std::lock_guard lock(mutex_);
    faults_.emplace_back(row, fault);
  }

  napi_value result(napi_env env) override {
    std::sort(faults_.begin(), faults_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    napi_value list = nullptr;
    napi_create_array_with_length(env, faults_.size(), &list);
    for (uint32_t i = 0; i < faults_.size(); i++) {
      const auto& [row, fault] = faults_[i];
      napi_value object = nullptr;
      napi_create_object(env, &object);
      napi_set_named_property(env, object, "row", numberValue(env, static_cast<double>(row)));
      napi_set_named_property(env, object, "code", stringValue(env, nameOf(fault.code)));
      napi_set_named_property(env, object, "reason", stringValue(env, fault.reason));
      napi_set_named_property(env, object, "lasting", boolValue(env, fault.lasting));
      napi_set_element(env, list, i, object);
    }
    return list;
  }

  const BytesSource source_;
  const std::shared_ptr<SlotMemory> memory_;

 private:
  std::mutex mutex_;
  std::vector<std::pair<size_t, Fault>> faults_;
};

struct DecodePlan {
  std::vector<uint32_t> heights, widths;
  std::vector<View> views;
  std::vector<double> offsets;  // views x samples
  std::vector<Box> boxes;       // samples x views
  JpegOptions options;
  Encoding encoding = Encoding::jpeg;
  std::shared_ptr<RansTable> table;
};

class DecodeTask final : public BatchTask {
 public:
  DecodeTask(size_t group, size_t threads, BytesSource&& source, std::shared_ptr<SlotMemory> memory, DecodePlan plan)
      : BatchTask(source.count(), group, threads, std::move(source), std::move(memory)), plan_(std::move(plan)) {}

  void run(size_t sample, Scratch& scratch) override {
    const size_t views = plan_.views.size();
    const std::span<const Box> boxes(plan_.boxes.data() + sample * views, views);
    uint8_t* out[kMaxViews];
    for (size_t k = 0; k < views; k++) out[k] = memory_->data() + static_cast<size_t>(plan_.offsets[k * source_.count() + sample]);
    Picture picture{{}, static_cast<int>(plan_.widths[sample]), static_cast<int>(plan_.heights[sample]), 0};
    if (const Fault fault = source_.at(sample, picture.bytes)) {
      clear(out, boxes);
      report(sample, fault);
      return;
    }
    picture.readable = static_cast<size_t>(source_.bytes.data() + source_.bytes.size() - (picture.bytes.data() + picture.bytes.size()));
    const Storage storage{plan_.encoding, plan_.table.get()};
    Fault fault;
    if (!withBusGuard([&] { fault = decodeImage(picture, storage, plan_.options, plan_.views, boxes, {out, views}, scratch); })) {
      fault = Fault::of(FaultCode::corrupt, "%s", kUnreadable);
      clear(out, boxes);
    }
    if (fault) report(sample, fault);
  }

  static constexpr size_t kMaxViews = 64;

 private:
  void clear(uint8_t* const* out, std::span<const Box> boxes) const {
    for (size_t k = 0; k < boxes.size(); k++) std::memset(out[k], 0, boxes[k].outBytes(plan_.views[k]));
  }

  const DecodePlan plan_;
};

bool readTriple(napi_env env, napi_value array, const char* name, float (&out)[3]) {
  const auto items = arrayItems(env, array);
  if (items.size() != 3) return throwType(env, name, "three numbers");
  for (size_t c = 0; c < 3; c++) {
    double value = 0;
    if (!getNumber(env, items[c], name, value)) return false;
    out[c] = static_cast<float>(value);
  }
  return true;
}

bool readView(napi_env env, napi_value object, size_t samples, View& view, std::vector<double>& offsets) {
  size_t width = 0, height = 0;
  std::string layout, dtype;
  std::span<const double> places;
  if (!getSize(env, property(env, object, "width"), "width", width, kMaxSide) ||
      !getSize(env, property(env, object, "height"), "height", height, kMaxSide) ||
      !getString(env, property(env, object, "layout"), "layout", layout) ||
      !getString(env, property(env, object, "dtype"), "dtype", dtype) ||
      !readTriple(env, property(env, object, "scale"), "scale", view.scale) ||
      !readTriple(env, property(env, object, "bias"), "bias", view.bias) ||
      !getFloat64s(env, property(env, object, "offsets"), "offsets", places))
    return false;
  if ((width == 0) != (height == 0)) return throwType(env, "width and height", "both zero or both not");
  if (places.size() != samples) return throwType(env, "offsets", "as long as sourceOffsets");
  view.width = static_cast<int>(width);
  view.height = static_cast<int>(height);
  view.planar = layout == "NCHW";
  if (!view.planar && layout != "NHWC") return throwType(env, "layout", "NHWC or NCHW");
  if (dtype == "uint8") view.type = PixelType::uint8;
  else if (dtype == "float16") view.type = PixelType::float16;
  else if (dtype == "float32") view.type = PixelType::float32;
  else return throwType(env, "dtype", "uint8, float16 or float32");
  offsets.insert(offsets.end(), places.begin(), places.end());
  return true;
}

bool readBoxes(napi_env env, napi_value array, size_t rows, std::vector<Box>& boxes) {
  std::span<const double> numbers;
  if (!getFloat64s(env, array, "boxes", numbers)) return false;
  if (numbers.size() != rows * kBoxColumns) return throwType(env, "boxes", "samples x views rows of 9 numbers");
  boxes.resize(rows);
  for (size_t i = 0; i < rows; i++) {
    const double* n = numbers.data() + i * kBoxColumns;
    for (size_t c = 0; c < 4; c++)
      if (!(n[c] >= 0 && n[c] <= 65535)) return throwType(env, "boxes", "clips of 0 to 65535 pixels");
    boxes[i] = {{static_cast<int>(n[0]), static_cast<int>(n[1]), static_cast<int>(n[2]), static_cast<int>(n[3])}, n[4], n[5], n[6], n[7], n[8] != 0};
  }
  return true;
}

// Every output must lie in the slot; the decoder trusts it from here on.
bool checkOutputs(napi_env env, const DecodePlan& plan, size_t samples, size_t slotBytes) {
  for (size_t k = 0; k < plan.views.size(); k++) {
    for (size_t i = 0; i < samples; i++) {
      const double offset = plan.offsets[k * samples + i];
      const auto bytes = static_cast<double>(plan.boxes[i * plan.views.size() + k].outBytes(plan.views[k]));
      const auto aligned = static_cast<double>(bytesOf(plan.views[k].type));
      if (!(offset >= 0) || offset + bytes > static_cast<double>(slotBytes) || std::fmod(offset, aligned) != 0)
        return throwType(env, "offsets", "aligned places inside the slot");
    }
  }
  return true;
}

// The slot's bytes that a plan writes.
std::pair<size_t, size_t> outputsOf(const DecodePlan& plan, size_t samples) {
  size_t begin = SIZE_MAX, end = 0;
  for (size_t k = 0; k < plan.views.size(); k++) {
    for (size_t i = 0; i < samples; i++) {
      const auto offset = static_cast<size_t>(plan.offsets[k * samples + i]);
      begin = std::min(begin, offset);
      end = std::max(end, offset + plan.boxes[i * plan.views.size() + k].outBytes(plan.views[k]));
    }
  }
  return {std::min(begin, end), end};
}

napi_value decodeImages(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value job = nullptr;
  napi_get_cb_info(env, info, &count, &job, nullptr, nullptr);
  BytesSource source;
  if (!source.read(env, job)) return nullptr;
  const size_t samples = source.count();
  const auto slot = slotOf(env, property(env, job, "slot"));
  if (!slot) return nullptr;

  DecodePlan plan;
  std::span<const uint32_t> heights, widths;
  std::string dct, encoding;
  size_t threads = 0, group = 0;
  if (!getUint32s(env, property(env, job, "heights"), "heights", heights) ||
      !getUint32s(env, property(env, job, "widths"), "widths", widths) ||
      !getString(env, property(env, job, "dct"), "dct", dct) ||
      !getString(env, property(env, job, "encoding"), "encoding", encoding) ||
      !getRansTable(env, property(env, job, "table"), plan.table) ||
      !getBool(env, property(env, job, "fancyUpsampling"), "fancyUpsampling", plan.options.fancyUpsampling) ||
      !getBool(env, property(env, job, "tolerant"), "tolerant", plan.options.tolerant) ||
      !getNumber(env, property(env, job, "maxPixels"), "maxPixels", plan.options.maxPixels) ||
      !getSize(env, property(env, job, "threads"), "threads", threads, kMaxThreads) ||
      !getSize(env, property(env, job, "group"), "group", group))
    return nullptr;
  if (heights.size() != samples || widths.size() != samples)
    return throwType(env, "heights and widths", "as long as sourceOffsets"), nullptr;
  plan.heights.assign(heights.begin(), heights.end());
  plan.widths.assign(widths.begin(), widths.end());
  plan.options.fastDct = dct == "ifast";
  if (!plan.options.fastDct && dct != "islow") return throwType(env, "dct", "islow or ifast"), nullptr;
  if (encoding == "dct") plan.encoding = Encoding::packed;
  else if (encoding == "yuv420") plan.encoding = Encoding::yuv420;
  else if (encoding != "jpeg") return throwType(env, "encoding", "jpeg, dct or yuv420"), nullptr;
  const auto views = arrayItems(env, property(env, job, "views"));
  if (views.empty() || views.size() > DecodeTask::kMaxViews) return throwType(env, "views", "1 to 64 views"), nullptr;
  for (const napi_value view : views) {
    plan.views.emplace_back();
    if (!readView(env, view, samples, plan.views.back(), plan.offsets)) return nullptr;
  }
  if (!readBoxes(env, property(env, job, "boxes"), samples * views.size(), plan.boxes)) return nullptr;
  if (!checkOutputs(env, plan, samples, slot->size())) return nullptr;
  const auto [begin, end] = outputsOf(plan, samples);
  slot->writes(begin, end);
  const bool inMemory = source.map == nullptr;
  return PromiseTask::start(
      env, std::make_shared<DecodeTask>(group, std::max<size_t>(1, threads), std::move(source), slot->memory(), std::move(plan)),
      inMemory ? property(env, job, "source") : nullptr);
}

// As memcpy, but past the caches where it can: for memory that is larger than they are. Kernels::settle comes after it.
void copyPastCaches(uint8_t* to, std::span<const uint8_t> from) {
  const size_t head = std::min((kStreamLine - reinterpret_cast<uintptr_t>(to) % kStreamLine) % kStreamLine, from.size());
  const size_t lines = (from.size() - head) / kStreamLine * kStreamLine;
  std::memcpy(to, from.data(), head);
  kernels().stream(from.data() + head, lines, to + head);
  std::memcpy(to + head + lines, from.data() + head + lines, from.size() - head - lines);
}

// Stored bytes into rows of one stride; several rows an item, for a row is often only some kilobytes.
class CopyTask final : public BatchTask {
 public:
  static constexpr size_t kRowsPerItem = 8;
  CopyTask(size_t group, size_t threads, BytesSource&& source, const std::shared_ptr<Slot>& slot, size_t offset, size_t stride)
      : BatchTask((source.count() + kRowsPerItem - 1) / kRowsPerItem, group, threads, std::move(source), slot->memory()),
        rows_(slot->rows(offset, stride, source_.count())), pastCaches_(stride * source_.count() >= kPastCaches) {}

  void run(size_t item, Scratch&) override {
    const size_t end = std::min(source_.count(), (item + 1) * kRowsPerItem);
    for (size_t row = item * kRowsPerItem; row < end; row++) {
      std::span<const uint8_t> bytes;
      Fault fault = source_.at(row, bytes);
      if (!fault && bytes.size() > rows_->stride)
        fault = Fault::of(FaultCode::limit, "%zu bytes do not fit a row of %zu", bytes.size(), rows_->stride).always();
      if (fault) {
        bytes = {};
        report(row, fault);
      }
      uint8_t* target = memory_->data() + rows_->offset + row * rows_->stride;
      size_t& dirty = rows_->dirty[row];
      const auto copy = [&] {
        if (pastCaches_)
          copyPastCaches(target, bytes);
        else if (!bytes.empty())
          std::memcpy(target, bytes.data(), bytes.size());
      };
      if (!withBusGuard(copy)) {
        report(row, Fault::of(FaultCode::corrupt, "%s", kUnreadable).always());
        dirty = bytes.size();
        bytes = {};
      }
      if (dirty > bytes.size()) std::memset(target + bytes.size(), 0, dirty - bytes.size());
      dirty = bytes.size();
    }
    if (pastCaches_) kernels().settle();
  }

 private:
  const std::shared_ptr<Slot::Rows> rows_;
  const bool pastCaches_;
};

napi_value copyRows(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value job = nullptr;
  napi_get_cb_info(env, info, &count, &job, nullptr, nullptr);
  BytesSource source;
  if (!source.read(env, job)) return nullptr;
  const auto slot = slotOf(env, property(env, job, "slot"));
  size_t offset = 0, stride = 0, threads = 0, group = 0;
  if (!slot || !getSize(env, property(env, job, "offset"), "offset", offset) ||
      !getSize(env, property(env, job, "stride"), "stride", stride) ||
      !getSize(env, property(env, job, "threads"), "threads", threads, kMaxThreads) ||
      !getSize(env, property(env, job, "group"), "group", group))
    return nullptr;
  if (static_cast<double>(offset) + static_cast<double>(stride) * static_cast<double>(source.count()) > static_cast<double>(slot->size()))
    return throwType(env, "stride", "small enough for all rows to lie inside the slot"), nullptr;
  const bool inMemory = source.map == nullptr;
  return PromiseTask::start(env, std::make_shared<CopyTask>(group, std::max<size_t>(1, threads), std::move(source), slot, offset, stride),
                            inMemory ? property(env, job, "source") : nullptr);
}

napi_value scratchBytes(napi_env env, napi_callback_info) {
  return numberValue(env, static_cast<double>(Pool::instance().scratchBytes()));
}

}  // namespace

void bindJobs(napi_env env, napi_value exports) {
  bind(env, exports, "decodeImages", decodeImages);
  bind(env, exports, "copyRows", copyRows);
  bind(env, exports, "scratchBytes", scratchBytes);
}

}  // namespace headrace
