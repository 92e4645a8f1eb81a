// Who takes the rows of a decoded rectangle, top to bottom.
#pragma once
#include <cstdint>

namespace headrace {

struct PixelRect {
  int x = 0, y = 0, width = 0, height = 0;
};

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Where the row's pixels should go, or null to have them in the reader's own memory. Only asked for rows as wide as
  // the picture: narrower ones come with a margin.
  virtual uint8_t* target(int y) = 0;
  // rgb: 3 * width bytes with kRowPadding readable bytes behind them, unless `target` named the place.
  virtual void row(int y, const uint8_t* rgb) = 0;
  // The same row as planes of R, G and B, kRowPadding readable bytes behind each.
  virtual void planes(int y, const uint8_t* const (&rgb)[3]) = 0;
};

}  // namespace headrace
