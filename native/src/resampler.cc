#include "resampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace headrace {
namespace {

size_t roundUp(size_t value, size_t to) { return (value + to - 1) / to * to; }

template <typename T>
void atLeast(std::vector<T>& memory, size_t size) {
  if (memory.size() < size) memory.resize(size);
}

// Source pixels that a filter over [start, start + length) -> out samples can touch, within [lo, hi).
void span(double start, double length, int out, int lo, int hi, int& from, int& count) {
  const double support = std::max(1.0, length / out);
  from = std::clamp(static_cast<int>(std::floor(start - support)), lo, hi - 1);
  const int to = std::clamp(static_cast<int>(std::ceil(start + length + support)), from + 1, hi);
  count = to - from;
}

bool isCopy(const View& view, const Box& box) {
  return box.width == box.outWidth(view) && box.height == box.outHeight(view) && box.x == std::floor(box.x) &&
         box.y == std::floor(box.y) && box.x >= box.clip.x && box.y >= box.clip.y &&
         box.x + box.width <= box.clip.x + box.clip.width && box.y + box.height <= box.clip.y + box.clip.height;
}

// Output is asked for this many bytes before it is written, or every row would wait for memory: a batch is larger than the
// caches. It may lie behind the slot, which a prefetch does not mind.
constexpr size_t kAhead = 4096;

void prefetchOutput(const uint8_t* out, size_t bytes) {
  bytes = std::min(bytes, kAhead);
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(out + i, 1);
}

}  // namespace

PixelRect Resampler::reach(const View& view, const Box& box) {
  if (isCopy(view, box))
    return {static_cast<int>(box.x), static_cast<int>(box.y), static_cast<int>(box.width), static_cast<int>(box.height)};
  PixelRect rect;
  span(box.x, box.width, box.outWidth(view), box.clip.x, box.clip.x + box.clip.width, rect.x, rect.width);
  span(box.y, box.height, box.outHeight(view), box.clip.y, box.clip.y + box.clip.height, rect.y, rect.height);
  return rect;
}

double Resampler::ringBytes(const View& view, const Box& box) {
  const double taps = std::min(2 * std::max(1.0, box.height / box.outHeight(view)) + 2, box.clip.height + 2.0);
  return 2 * taps * 3 * (box.outWidth(view) + static_cast<double>(kRowAlign)) * sizeof(int16_t);  // twice: a power of two
}

PixelRect Resampler::begin(const View& view, const Box& box, uint8_t* out) {
  view_ = &view;
  out_ = out;
  width_ = box.outWidth(view);
  height_ = box.outHeight(view);
  mirrored_ = box.mirrored;
  copies_ = isCopy(view, box);
  next_ = 0;
  region_ = reach(view, box);
  rowBytes_ = static_cast<size_t>(width_) * bytesOf(view.type) * (view.planar ? 1 : 3);
  for (size_t c = 0; c < (view.planar ? 3 : 1); c++) prefetchOutput(out + c * static_cast<size_t>(height_) * rowBytes_, kAhead);

  planeStride_ = roundUp(static_cast<size_t>(region_.width), kRowAlign) + kRowPadding;
  atLeast(planes_, 3 * planeStride_ + kRowPadding);
  const size_t outStride = roundUp(static_cast<size_t>(width_), kRowAlign);
  atLeast(outRow_, 6 * outStride + kRowPadding);
  if (copies_) return region_;

  vertical_.build({box.y, box.height, box.clip.y, box.clip.y + box.clip.height, height_, false});
  horizontal_.build({box.x, box.width, box.clip.x, box.clip.x + box.clip.width, width_, box.mirrored}, region_.x);
  columns_ = horizontal_.view();
  const int bottom = vertical_.highest();
  region_.y = vertical_.lowest();
  region_.height = bottom - region_.y;

  const size_t rows = std::bit_ceil(static_cast<size_t>(vertical_.maxTaps) + 1);
  ringMask_ = rows - 1;
  ringStride_ = 3 * outStride;
  atLeast(ring_, rows * ringStride_ + kRowPadding);
  atLeast(taps_, static_cast<size_t>(vertical_.maxTaps));
  return region_;
}

uint8_t* Resampler::target(int y) {
  if (!copies_ || mirrored_ || view_->planar || view_->type != PixelType::uint8) return nullptr;
  return rowOfOutput(0, y - region_.y);
}

// Row `row` of plane c, or of all interleaved.
uint8_t* Resampler::rowOfOutput(size_t c, int row) {
  uint8_t* out = out_ + (c * static_cast<size_t>(height_) + static_cast<size_t>(row)) * rowBytes_;
  prefetchOutput(out + kAhead, rowBytes_);
  return out;
}

void Resampler::row(int y, const uint8_t* rgb) {
  if (copies_ && !mirrored_ && !view_->planar) return emitInterleaved(y - region_.y, rgb);
  uint8_t* r = planes_.data();
  uint8_t* g = r + planeStride_;
  uint8_t* b = g + planeStride_;
  kernels_.deinterleave(rgb, static_cast<size_t>(region_.width), r, g, b);
  planes(y, {r, g, b});
}

void Resampler::planes(int y, const uint8_t* const (&rgb)[3]) {
  if (copies_)
    copyRow(y, rgb);
  else
    resizeRow(y, rgb);
}

void Resampler::copyRow(int y, const uint8_t* const (&rgb)[3]) {
  if (!mirrored_) return emit(y - region_.y, rgb[0], rgb[1], rgb[2]);
  const auto width = static_cast<size_t>(width_);
  const size_t stride = roundUp(width, kRowAlign);
  uint8_t* out = outRow_.data();
  for (size_t c = 0; c < 3; c++) kernels_.reverse(rgb[c], width, out + c * stride);
  emit(y - region_.y, out, out + stride, out + 2 * stride);
}

void Resampler::resizeRow(int y, const uint8_t* const (&rgb)[3]) {
  const size_t outStride = ringStride_ / 3;
  int16_t* slot = ring_.data() + (static_cast<size_t>(y) & ringMask_) * ringStride_;
  kernels_.horizontal(columns_, rgb, 3, slot, outStride);

  for (; next_ < height_; next_++) {
    const auto i = static_cast<size_t>(next_);
    const int first = vertical_.first[i];
    const int count = vertical_.taps[i];
    if (first + count > y + 1) return;
    for (int t = 0; t < count; t++)
      taps_[static_cast<size_t>(t)] = ring_.data() + (static_cast<size_t>(first + t) & ringMask_) * ringStride_;
    kernels_.vertical(taps_.data(), vertical_.weightsOf(next_), static_cast<size_t>(count), ringStride_, outRow_.data());
    emit(next_, outRow_.data(), outRow_.data() + outStride, outRow_.data() + 2 * outStride);
  }
}

void Resampler::emit(int outRow, const uint8_t* r, const uint8_t* g, const uint8_t* b) {
  const auto width = static_cast<size_t>(width_);
  if (!view_->planar) {
    if (view_->type == PixelType::uint8) {
      kernels_.interleave(r, g, b, width, rowOfOutput(0, outRow));
    } else {
      uint8_t* rgb = outRow_.data() + 3 * roundUp(width, kRowAlign);
      kernels_.interleave(r, g, b, width, rgb);
      emitInterleaved(outRow, rgb);
    }
    return;
  }
  const uint8_t* planes[3] = {r, g, b};
  for (size_t c = 0; c < 3; c++) {
    uint8_t* out = rowOfOutput(c, outRow);
    switch (view_->type) {
      case PixelType::uint8: std::memcpy(out, planes[c], width); break;
      case PixelType::float16:
        kernels_.normalizeF16(planes[c], width, &view_->scale[c], &view_->bias[c], 1, reinterpret_cast<uint16_t*>(out));
        break;
      case PixelType::float32:
        kernels_.normalizeF32(planes[c], width, &view_->scale[c], &view_->bias[c], 1, reinterpret_cast<float*>(out));
        break;
    }
  }
}

void Resampler::emitInterleaved(int outRow, const uint8_t* rgb) {
  const size_t samples = static_cast<size_t>(width_) * 3;
  switch (view_->type) {
    case PixelType::uint8:
      // `target` named the place, or it is to be copied there.
      if (rgb != out_ + static_cast<size_t>(outRow) * rowBytes_) std::memcpy(rowOfOutput(0, outRow), rgb, samples);
      break;
    case PixelType::float16:
      kernels_.normalizeF16(rgb, samples, view_->scale, view_->bias, 3, reinterpret_cast<uint16_t*>(rowOfOutput(0, outRow)));
      break;
    case PixelType::float32:
      kernels_.normalizeF32(rgb, samples, view_->scale, view_->bias, 3, reinterpret_cast<float*>(rowOfOutput(0, outRow)));
      break;
  }
}

void Resampler::release() {
  planes_ = std::vector<uint8_t>();
  ring_ = std::vector<int16_t>();
  outRow_ = std::vector<uint8_t>();
  taps_ = std::vector<const int16_t*>();
}

size_t Resampler::bytes() const {
  return planes_.capacity() + 2 * ring_.capacity() + outRow_.capacity() + sizeof(void*) * taps_.capacity();
}

}  // namespace headrace
