#include "image_decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headrace {
namespace {

// Bytes of rows between the two passes of a resize; 16384 rows to 8192 x 16 pixels still fit.
constexpr double kMaxRing = 256 << 20;

Fault check(const Box& box, const View& view, int width, int height) {
  const PixelRect& clip = box.clip;
  const bool clipInside = clip.x >= 0 && clip.y >= 0 && clip.width > 0 && clip.height > 0 && clip.x <= width - clip.width &&
                          clip.y <= height - clip.height;
  const bool boxSound = std::isfinite(box.x) && std::isfinite(box.y) && box.width > 0 && box.height > 0 &&
                        box.width <= 2.0 * kMaxSide && box.height <= 2.0 * kMaxSide && std::fabs(box.x) <= 2.0 * kMaxSide &&
                        std::fabs(box.y) <= 2.0 * kMaxSide;
  if (clipInside && boxSound && box.outWidth(view) <= kMaxSide && box.outHeight(view) <= kMaxSide) {
    if (Resampler::ringBytes(view, box) <= kMaxRing) return {};
    return Fault::of(FaultCode::limit, "%.0f rows to %d of %d pixels need more than %.0f MiB", box.height, box.outHeight(view),
                     box.outWidth(view), kMaxRing / (1 << 20));
  }
  if (!clipInside)
    return Fault::of(FaultCode::limit, "crop %d,%d %dx%d lies outside the picture of %dx%d", clip.x, clip.y, clip.width, clip.height,
                     width, height);
  return Fault::of(FaultCode::limit, "box %g,%g %gx%g to %dx%d pixels cannot be resized", box.x, box.y, box.width, box.height,
                   box.outWidth(view), box.outHeight(view));
}

// Rows into memory, for views that share one decode.
class Keep final : public RowSink {
 public:
  Keep(const PixelRect& rect, uint8_t* memory) : rect_(rect), memory_(memory) {}
  uint8_t* target(int y) override { return at(y); }
  void row(int y, const uint8_t* rgb) override {
    if (rgb != at(y)) std::memcpy(at(y), rgb, static_cast<size_t>(rect_.width) * 3);
  }
  void planes(int, const uint8_t* const (&)[3]) override {}  // JPEG gives rows
  uint8_t* at(int y) const { return memory_ + static_cast<size_t>(y - rect_.y) * static_cast<size_t>(rect_.width) * 3; }

 private:
  const PixelRect rect_;
  uint8_t* const memory_;
};

PixelRect unionOf(const PixelRect& a, const PixelRect& b) {
  const int x = std::min(a.x, b.x), y = std::min(a.y, b.y);
  return {x, y, std::max(a.x + a.width, b.x + b.width) - x, std::max(a.y + a.height, b.y + b.height) - y};
}

Fault decodeShared(std::span<const View> views, std::span<const Box> boxes, std::span<uint8_t* const> out, Scratch& scratch) {
  PixelRect all = Resampler::reach(views[0], boxes[0]);
  for (size_t k = 1; k < views.size(); k++) all = unionOf(all, Resampler::reach(views[k], boxes[k]));
  const size_t wanted = static_cast<size_t>(all.width) * static_cast<size_t>(all.height) * 3 + kRowPadding;
  if (scratch.pixels.size() < wanted) scratch.pixels.resize(wanted);
  Keep keep(all, scratch.pixels.data());
  if (const Fault fault = scratch.reader.decode(all, keep)) return fault;
  for (size_t k = 0; k < views.size(); k++) {
    const PixelRect rect = scratch.resampler.begin(views[k], boxes[k], out[k]);
    for (int y = rect.y; y < rect.y + rect.height; y++)
      scratch.resampler.row(y, keep.at(y) + static_cast<size_t>(rect.x - all.x) * 3);
  }
  return {};
}

Fault checkPicture(int width, int height, const Picture& picture, std::span<const View> views, std::span<const Box> boxes) {
  if (width != picture.width || height != picture.height)
    return Fault::of(FaultCode::corrupt, "the header says %dx%d pixels, the metadata %dx%d", width, height, picture.width, picture.height)
        .always();
  for (size_t k = 0; k < views.size(); k++)
    if (const Fault fault = check(boxes[k], views[k], width, height)) return fault;
  return {};
}

Fault decodeJpeg(const Picture& picture, const JpegOptions& options, std::span<const View> views, std::span<const Box> boxes,
                 std::span<uint8_t* const> out, Scratch& scratch) {
  JpegReader& reader = scratch.reader;
  if (const Fault fault = reader.open(picture.bytes.data(), picture.bytes.size(), options)) return fault.always();
  if (const Fault fault = checkPicture(reader.width(), reader.height(), picture, views, boxes)) return fault;
  if (views.size() > 1) return decodeShared(views, boxes, out, scratch);
  const PixelRect rect = scratch.resampler.begin(views[0], boxes[0], out[0]);
  return reader.decode(rect, scratch.resampler);
}

// The planes are decoded once; upsampling, colour and all else is each view's own.
Fault decodePacked(const Picture& picture, const Storage& storage, double maxPixels, std::span<const View> views,
                   std::span<const Box> boxes, std::span<uint8_t* const> out, Scratch& scratch) {
  PackedReader& reader = scratch.packed;
  if (const Fault fault = reader.open(picture.bytes, picture.readable, storage.table, maxPixels)) return fault.always();
  if (const Fault fault = checkPicture(reader.width(), reader.height(), picture, views, boxes)) return fault;
  PixelRect all = Resampler::reach(views[0], boxes[0]);
  for (size_t k = 1; k < views.size(); k++) all = unionOf(all, Resampler::reach(views[k], boxes[k]));
  if (const Fault fault = reader.decode(all)) return fault;
  for (size_t k = 0; k < views.size(); k++) reader.rows(scratch.resampler.begin(views[k], boxes[k], out[k]), scratch.resampler);
  return {};
}

// Nothing is decoded but what each view reads, row by row.
Fault decodeYuv420(const Picture& picture, const JpegOptions& options, std::span<const View> views, std::span<const Box> boxes,
                   std::span<uint8_t* const> out, Scratch& scratch) {
  Yuv420Reader& reader = scratch.yuv420;
  const int width = picture.width, height = picture.height;
  if (const Fault fault = reader.open(picture.bytes, picture.readable, width, height, options.fancyUpsampling, options.maxPixels)) return fault.always();
  if (const Fault fault = checkPicture(width, height, picture, views, boxes)) return fault;
  for (size_t k = 0; k < views.size(); k++) reader.rows(scratch.resampler.begin(views[k], boxes[k], out[k]), scratch.resampler);
  return {};
}

Fault decodeStored(const Picture& picture, const Storage& storage, const JpegOptions& options, std::span<const View> views,
                   std::span<const Box> boxes, std::span<uint8_t* const> out, Scratch& scratch) {
  if (storage.encoding == Encoding::yuv420) return decodeYuv420(picture, options, views, boxes, out, scratch);
  if (storage.encoding == Encoding::packed && PackedPicture::isPacked(picture.bytes))
    return decodePacked(picture, storage, options.maxPixels, views, boxes, out, scratch);
  return decodeJpeg(picture, options, views, boxes, out, scratch);
}

}  // namespace

Fault decodeImage(const Picture& picture, const Storage& storage, const JpegOptions& options, std::span<const View> views,
                  std::span<const Box> boxes, std::span<uint8_t* const> out, Scratch& scratch) {
  const Fault fault = decodeStored(picture, storage, options, views, boxes, out, scratch);
  if (fault)
    for (size_t k = 0; k < views.size(); k++) std::memset(out[k], 0, boxes[k].outBytes(views[k]));
  scratch.trim();
  return fault;
}

}  // namespace headrace
