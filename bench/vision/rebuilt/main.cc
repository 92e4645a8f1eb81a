/**
 * The peers' algorithms rebuilt in plain C++ over libjpeg, for machines where the peers are not installed, and as a
 * check of the real ones where they are. One thread, no Python, no loader around: what the peers spend there is left
 * out, which flatters them. Their memory is kept: a scratch picture for each place of the batch, and a batch of output
 * that is written again and again.
 *
 *   rebuilt CACHE OPERATION EPOCHS
 *
 * prints one JSON line: seconds and CPU seconds of each epoch.
 */
#include <ctime>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "../../../native/src/resampler.h"
#include "area_resize.h"
#include "crop_boxes.h"
#include "cubic_resize.h"
#include "full_decode.h"
#include "stored_images.h"

namespace rebuilt {
namespace {

constexpr int kSide = 224;
constexpr size_t kBatch = 256;
constexpr size_t kPixels = size_t{kSide} * kSide * 3;

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Bench {
 public:
  explicit Bench(const StoredImages& images)
      : images_(images), scratch_stride_(images.most_pixels() * 3), scratch_(kBatch * scratch_stride_ + headrace::kRowPadding), copies_(kBatch) {}

  void epoch(std::string_view operation) {
    size_t place = 0;
    for (const StoredImage& image : images_.all()) {
      one(operation, image, place);
      place = (place + 1) % kBatch;
    }
  }

 private:
  void one(std::string_view operation, const StoredImage& image, size_t place) {
    const int width = image.width, height = image.height;
    if (operation == "memcpy") return raw(image, place);
    if (operation == "ffcv-rrc") return ffcv(image, random_resized_crop(random_, width, height), place);
    if (operation == "ffcv-rrc-own-resize") return ffcv_own_resize(image, random_resized_crop(random_, width, height), place);
    if (operation == "islow-decode") return islow_(image.jpeg, width, height, scratch(place));
    if (operation == "ffcv-center") return ffcv(image, center_square(std::min(width, height), width, height), place);
    if (operation == "slipstream-rrc") return slipstream(image, random_resized_crop(random_, width, height), place);
    if (operation == "slipstream-crop") return slipstream(image, center_square(std::min({kSide, width, height}), width, height), place);
    if (operation == "slipstream-decode") return slipstream_decode(image, place);
    fail("there is no operation " + std::string(operation));
  }

  uint8_t* row(size_t place) { return slot_.data() + place * kPixels; }

  /** Every image's stored bytes into its row of a batch: the floor under `raw`. */
  void raw(const StoredImage& image, size_t place) {
    std::memcpy(bank_.data() + place * images_.largest_bytes(), image.jpeg.data(), image.jpeg.size());
  }

  uint8_t* scratch(size_t place) { return scratch_.data() + place * scratch_stride_; }

  View cut(const StoredImage& image, const Box& box, size_t place) {
    const size_t stride = static_cast<size_t>(image.width) * 3;
    return {scratch(place) + box.y * stride + static_cast<size_t>(box.x) * 3, stride, box.width, box.height};
  }

  /** FFCV decodes out of its mapped file. */
  void ffcv(const StoredImage& image, const Box& box, size_t place) {
    decode_(image.jpeg, image.width, image.height, scratch(place));
    area_(cut(image, box, place), kSide, kSide, row(place));
  }

  /** FFCV's decode with the resize that headrace has: what is left of the difference is the decode. */
  void ffcv_own_resize(const StoredImage& image, const Box& box, size_t place) {
    decode_(image.jpeg, image.width, image.height, scratch(place));
    const headrace::PixelRect clip{box.x, box.y, box.width, box.height};
    const headrace::Box whole{clip, double(box.x), double(box.y), double(box.width), double(box.height), false};
    const headrace::PixelRect rows = resampler_.begin(view_, whole, row(place));
    const size_t stride = static_cast<size_t>(image.width) * 3;
    for (int y = rows.y; y < rows.y + rows.height; y++) resampler_.row(y, scratch(place) + y * stride + static_cast<size_t>(rows.x) * 3);
  }

  /** slipstream copies the stored bytes into the bank of the batch first, then decodes them. */
  void slipstream_picture(const StoredImage& image, size_t place) {
    raw(image, place);
    decode_({bank_.data() + place * images_.largest_bytes(), image.jpeg.size()}, image.width, image.height, scratch(place));
  }

  void slipstream(const StoredImage& image, const Box& box, size_t place) {
    slipstream_picture(image, place);
    cubic_(cut(image, box, place), kSide, kSide, row(place));
  }

  /** Its DecodeOnly hands out a newly allocated copy of each picture. */
  void slipstream_decode(const StoredImage& image, size_t place) {
    slipstream_picture(image, place);
    const size_t bytes = static_cast<size_t>(image.width) * image.height * 3;
    copies_[place] = std::make_unique_for_overwrite<uint8_t[]>(bytes);
    std::memcpy(copies_[place].get(), scratch(place), bytes);
  }

  const StoredImages& images_;
  const char* kernels_error_ = nullptr;
  size_t scratch_stride_;
  std::vector<uint8_t> scratch_;
  std::vector<uint8_t> bank_ = std::vector<uint8_t>(kBatch * images_.largest_bytes());
  std::vector<uint8_t> slot_ = std::vector<uint8_t>(kBatch * kPixels);
  std::vector<std::unique_ptr<uint8_t[]>> copies_;
  Random random_{7};
  FullDecode decode_;
  FullDecode islow_{JDCT_ISLOW};
  headrace::View view_{.width = kSide, .height = kSide};
  headrace::Resampler resampler_{*headrace::chooseKernels(std::getenv("HEADRACE_SIMD"), &kernels_error_)};
  AreaResize area_;
  CubicResize cubic_;
};

int run(const char* cache, const char* operation, int epochs) {
  const StoredImages images(cache);
  Bench bench(images);
  bench.epoch(operation);  // the first touch of pages and caches is not counted
  std::printf("{\"operation\":\"%s\",\"epochs\":[", operation);
  for (int epoch = 0; epoch < epochs; epoch++) {
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    bench.epoch(operation);
    std::printf("%s{\"images\":%zu,\"seconds\":%.9f,\"cpuSeconds\":%.9f}", epoch == 0 ? "" : ",", images.all().size(),
                seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  }
  std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace rebuilt

int main(int argc, char** argv) {
  if (argc != 4) rebuilt::fail("usage: rebuilt CACHE OPERATION EPOCHS");
  return rebuilt::run(argv[1], argv[2], std::atoi(argv[3]));
}
