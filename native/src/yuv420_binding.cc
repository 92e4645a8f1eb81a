// toYuv420: a picture into planes of YUV 4:2:0.
#include <algorithm>
#include <cstring>

#include "bindings.h"
#include "napi_values.h"
#include "promise_task.h"
#include "scratch.h"
#include "yuv420_writer.h"

namespace headrace {
namespace {

constexpr size_t kMaxThreads = 1024;

struct PlanesJob {
  std::span<const uint8_t> bytes;  // kept by the promise
  int width = 0, height = 0;       // of RGB pixels; 0: a JPEG
  Rounding rounding = Rounding::nearest;
  double maxPixels = 0;
};

class PlanesTask final : public PromiseTask {
 public:
  PlanesTask(size_t group, size_t threads, const PlanesJob& job) : PromiseTask(1, group, threads), job_(job) {}

  void run(size_t, Scratch& scratch) override {
    fault_ = job_.width > 0 ? fromPixels() : fromJpeg(scratch.reader);
    scratch.trim();
  }

 protected:
  napi_value result(napi_env env) override {
    napi_value object = nullptr;
    napi_create_object(env, &object);
    if (fault_) {
      napi_set_named_property(env, object, "code", stringValue(env, nameOf(fault_.code)));
      napi_set_named_property(env, object, "reason", stringValue(env, fault_.reason));
      return object;
    }
    void* data = nullptr;
    napi_value buffer = nullptr, bytes = nullptr;
    if (napi_create_arraybuffer(env, picture_.bytes.size(), &data, &buffer) != napi_ok) return nullptr;
    std::memcpy(data, picture_.bytes.data(), picture_.bytes.size());
    napi_create_typedarray(env, napi_uint8_array, picture_.bytes.size(), buffer, 0, &bytes);
    napi_set_named_property(env, object, "bytes", bytes);
    napi_set_named_property(env, object, "width", numberValue(env, picture_.width));
    napi_set_named_property(env, object, "height", numberValue(env, picture_.height));
    return object;
  }

 private:
  Fault fromPixels() {
    if (const Fault fault = beginYuv420(job_.width, job_.height, picture_)) return fault;
    Yuv420Writer writer(job_.width, job_.height, job_.rounding, picture_);
    const size_t rowBytes = static_cast<size_t>(job_.width) * 3;
    for (int y = 0; y < job_.height; y++) writer.row(y, job_.bytes.data() + static_cast<size_t>(y) * rowBytes);
    return {};
  }

  Fault fromJpeg(JpegReader& reader) {
    JpegOptions options;
    options.maxPixels = job_.maxPixels;
    if (const Fault fault = reader.open(job_.bytes.data(), job_.bytes.size(), options)) return fault;
    return toYuv420(reader, job_.rounding, picture_);
  }

  const PlanesJob job_;
  Fault fault_;
  Yuv420Picture picture_;
};

napi_value planesOf(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value object = nullptr;
  napi_get_cb_info(env, info, &count, &object, nullptr, nullptr);
  const napi_value bytes = property(env, object, "bytes");
  std::span<uint8_t> in;
  std::string rounding;
  PlanesJob job;
  size_t threads = 0, group = 0, width = 0, height = 0;
  if (!getBytes(env, bytes, "bytes", in) || !getSize(env, property(env, object, "width"), "width", width, INT32_MAX) ||
      !getSize(env, property(env, object, "height"), "height", height, INT32_MAX) ||
      !getString(env, property(env, object, "rounding"), "rounding", rounding) ||
      !getSize(env, property(env, object, "threads"), "threads", threads, kMaxThreads) ||
      !getSize(env, property(env, object, "group"), "group", group) ||
      !getNumber(env, property(env, object, "maxPixels"), "maxPixels", job.maxPixels))
    return nullptr;
  const bool pixels = width > 0 && height > 0 && in.size() / width / 3 == height && in.size() == width * height * 3;
  if (!pixels && (width > 0 || height > 0))
    return throwType(env, "bytes", "width x height pixels of RGB, or a JPEG and no size"), nullptr;
  if (rounding == "truncate") job.rounding = Rounding::truncate;
  else if (rounding != "nearest") return throwType(env, "rounding", "nearest or truncate"), nullptr;
  job.bytes = in;
  job.width = static_cast<int>(width);
  job.height = static_cast<int>(height);
  return PromiseTask::start(env, std::make_shared<PlanesTask>(group, std::max<size_t>(1, threads), job), bytes);
}

}  // namespace

void bindYuv420(napi_env env, napi_value exports) { bind(env, exports, "toYuv420", planesOf); }

}  // namespace headrace
