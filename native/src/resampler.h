// RGB rows of a rectangle -> the output of one view: resize, mirror, normalise, layout, one row at a time over scratch
// that stays in cache and is used again for the next picture.
#pragma once
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "../kernels/resize_plan.h"
#include "row_sink.h"
#include "view.h"

namespace headrace {

class Resampler final : public RowSink {
 public:
  explicit Resampler(const Kernels& kernels) : kernels_(kernels) {}

  // A rectangle that holds every pixel the view reads (begin's may be smaller).
  static PixelRect reach(const View& view, const Box& box);
  // Memory that the rows between the passes of a resize would take: an enormous box over few rows of output needs more
  // than a thread should have.
  static double ringBytes(const View& view, const Box& box);
  // Prepares for one picture and returns the rectangle whose rows must follow, top to bottom.
  // `out` has box.outBytes(view) bytes.
  PixelRect begin(const View& view, const Box& box, uint8_t* out);

  uint8_t* target(int y) override;
  void row(int y, const uint8_t* rgb) override;
  void planes(int y, const uint8_t* const (&rgb)[3]) override;

  size_t bytes() const;
  // Gives the memory back; the next picture takes new.
  void release();

 private:
  void resizeRow(int y, const uint8_t* const (&rgb)[3]);
  void copyRow(int y, const uint8_t* const (&rgb)[3]);
  void emit(int outRow, const uint8_t* r, const uint8_t* g, const uint8_t* b);
  void emitInterleaved(int outRow, const uint8_t* rgb);
  uint8_t* rowOfOutput(size_t c, int row);

  const Kernels& kernels_;
  const View* view_ = nullptr;
  uint8_t* out_ = nullptr;
  int width_ = 0, height_ = 0;
  size_t rowBytes_ = 0;  // of output, or of a plane of it
  bool copies_ = false, mirrored_ = false;  // copies: no resampling, one source pixel an output pixel
  PixelRect region_;

  Axis vertical_;
  HorizontalPlan horizontal_;
  HorizontalView columns_{};
  size_t planeStride_ = 0, ringStride_ = 0, ringMask_ = 0;
  int next_ = 0;  // output row to come
  std::vector<uint8_t> planes_;   // one source row as three planes
  std::vector<int16_t> ring_;     // source rows after the horizontal pass
  std::vector<uint8_t> outRow_;   // one output row as three planes, then interleaved
  std::vector<const int16_t*> taps_;
};

}  // namespace headrace
