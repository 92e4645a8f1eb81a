// Pictures -> planes of YUV 4:2:0 (docs/formats/cache.md), padded to even sides by repeating the last column and row.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fault.h"
#include "jpeg_reader.h"
#include "row_sink.h"

namespace headrace {

// How numbers between two values become one: `truncate` is what slipstream does.
enum class Rounding { nearest, truncate };

struct Yuv420Picture {
  int width = 0, height = 0;  // with the padding
  std::vector<uint8_t> bytes;
};

// `limit` where a side is longer than what is decoded.
Fault beginYuv420(int width, int height, Yuv420Picture& out);

// Takes all rows of a picture of RGB, whose size `beginYuv420` was told.
class Yuv420Writer final : public RowSink {
 public:
  Yuv420Writer(int width, int height, Rounding rounding, Yuv420Picture& out);
  uint8_t* target(int) override { return nullptr; }
  void row(int y, const uint8_t* rgb) override;
  void planes(int, const uint8_t* const (&)[3]) override {}  // JPEG gives rows

 private:
  template <Rounding rounding>
  void convert(int y, const uint8_t* rgb);

  const int width_, height_;
  const Rounding rounding_;
  Yuv420Picture& out_;
  std::vector<uint8_t> pair_[2];  // Cb and Cr of two rows, full width
};

// The planes of an open JPEG: its own samples where they are those and are not to be truncated, else made of its pixels.
Fault toYuv420(JpegReader& reader, Rounding rounding, Yuv420Picture& out);

}  // namespace headrace
