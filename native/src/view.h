// What becomes of one picture: the plan's numbers, as the decoder reads them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "jpeg_reader.h"

namespace headrace {

// Output sides and picture sides beyond this are refused: libjpeg's own limit on a side.
constexpr int kMaxSide = 65500;

enum class PixelType { uint8, float16, float32 };

inline size_t bytesOf(PixelType type) { return type == PixelType::uint8 ? 1 : type == PixelType::float16 ? 2 : 4; }

struct View {
  int width = 0, height = 0;  // output pixels; 0 x 0: as large as the clip
  bool planar = false;        // NCHW
  PixelType type = PixelType::uint8;
  float scale[3] = {1, 1, 1}, bias[3] = {0, 0, 0};
};

struct Box {
  PixelRect clip;                             // samples outside do not exist for the filter
  double x = 0, y = 0, width = 0, height = 0; // source rectangle in pixel edges
  bool mirrored = false;

  int outWidth(const View& view) const { return view.width > 0 ? view.width : clip.width; }
  int outHeight(const View& view) const { return view.height > 0 ? view.height : clip.height; }
  size_t outBytes(const View& view) const {
    return static_cast<size_t>(outWidth(view)) * static_cast<size_t>(outHeight(view)) * 3 * bytesOf(view.type);
  }
};

}  // namespace headrace
