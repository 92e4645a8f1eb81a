// greyToJpeg, greyToJpegInto
#include <algorithm>
#include <cstring>

#include "bindings.h"
#include "grey_jpeg.h"
#include "napi_values.h"
#include "promise_task.h"
#include "view.h"

namespace headrace {
namespace {

constexpr size_t kMaxThreads = 1024;

struct GreyJob {
  std::span<const uint8_t> pixels;  // kept by the promise
  int width = 0, height = 0, quality = 0;
};

class GreyTask final : public PromiseTask {
 public:
  GreyTask(size_t group, size_t threads, const GreyJob& job) : PromiseTask(1, group, threads), job_(job) {}
  void run(size_t, Scratch&) override { fault_ = writeGreyJpeg(job_.pixels, job_.width, job_.height, job_.quality, out_); }

 protected:
  const char* failure() const override { return fault_ ? fault_.reason : nullptr; }
  const char* failureCode() const override { return nameOf(fault_.code); }
  napi_value result(napi_env env) override {
    void* data = nullptr;
    napi_value buffer = nullptr, bytes = nullptr;
    if (napi_create_arraybuffer(env, out_.size(), &data, &buffer) != napi_ok) return nullptr;
    std::memcpy(data, out_.data(), out_.size());
    napi_create_typedarray(env, napi_uint8_array, out_.size(), buffer, 0, &bytes);
    return bytes;
  }

 private:
  const GreyJob job_;
  Fault fault_;
  std::vector<uint8_t> out_;
};

// False after throwing.
bool getJob(napi_env env, napi_value object, napi_value pixels, GreyJob& job) {
  std::span<uint8_t> in;
  size_t width = 0, height = 0, quality = 0;
  if (!getBytes(env, pixels, "pixels", in) || !getSize(env, property(env, object, "width"), "width", width, kMaxSide) ||
      !getSize(env, property(env, object, "height"), "height", height, kMaxSide) ||
      !getSize(env, property(env, object, "quality"), "quality", quality, 100))
    return false;
  if (width == 0 || height == 0 || quality == 0 || in.size() != width * height) {
    throwType(env, "pixels", "width x height bytes, and quality 1 to 100");
    return false;
  }
  job = {in, static_cast<int>(width), static_cast<int>(height), static_cast<int>(quality)};
  return true;
}

napi_value greyToJpeg(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value object = nullptr;
  napi_get_cb_info(env, info, &count, &object, nullptr, nullptr);
  const napi_value pixels = property(env, object, "pixels");
  GreyJob job;
  size_t threads = 0, group = 0;
  if (!getJob(env, object, pixels, job) || !getSize(env, property(env, object, "threads"), "threads", threads, kMaxThreads) ||
      !getSize(env, property(env, object, "group"), "group", group))
    return nullptr;
  return PromiseTask::start(env, std::make_shared<GreyTask>(group, std::max<size_t>(1, threads), job), pixels);
}

napi_value greyToJpegInto(napi_env env, napi_callback_info info) {
  size_t count = 2, used = 0;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  GreyJob job;
  std::span<uint8_t> into;
  if (!getJob(env, arguments[0], property(env, arguments[0], "pixels"), job) || !getBytes(env, arguments[1], "into", into)) return nullptr;
  if (into.size() < kLeastJpegRoom) return throwType(env, "into", "at least 64 KiB"), nullptr;
  const Fault fault = writeGreyJpegInto(job.pixels, job.width, job.height, job.quality, into, used);
  if (fault) return throwError(env, nameOf(fault.code), fault.reason);
  return numberValue(env, static_cast<double>(used));
}

}  // namespace

void bindGreyJpeg(napi_env env, napi_value exports) {
  bind(env, exports, "greyToJpeg", greyToJpeg);
  bind(env, exports, "greyToJpegInto", greyToJpegInto);
}

}  // namespace headrace
