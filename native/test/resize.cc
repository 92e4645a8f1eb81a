#include "resize.h"

using namespace headrace;

void Resize::plan(const AxisSpec& xSpec, const AxisSpec& ySpec) {
  x.build(xSpec, xSpec.lo);
  y.build(ySpec);
}

void Resize::run(const Kernels& kernels, const uint8_t* rgb, int width, uint8_t* out) {
  const HorizontalView view = x.view();
  const size_t plane = size_t(width) + kRowPadding;
  const size_t stride = (size_t(view.out) + kRowAlign - 1) / kRowAlign * kRowAlign;
  const int ringRows = y.maxTaps;
  planes_.resize(3 * plane);
  ring_.resize(size_t(ringRows) * 3 * stride);
  line_.resize(3 * stride);
  rows_.resize(size_t(ringRows));

  uint8_t* const rgbPlanes[3] = {planes_.data(), planes_.data() + plane, planes_.data() + 2 * plane};
  // A mirrored axis is walked from its end, so that source rows always come top to bottom.
  const bool upwards = y.first.front() > y.first.back();
  int next = y.lowest();
  for (int step = 0; step < y.out; ++step) {
    const int i = upwards ? y.out - 1 - step : step;
    const int first = y.first[size_t(i)], taps = y.taps[size_t(i)];
    for (; next < first + taps; ++next) {
      kernels.deinterleave(rgb + 3 * size_t(width) * size_t(next), size_t(width), rgbPlanes[0], rgbPlanes[1], rgbPlanes[2]);
      const uint8_t* const rows[3] = {rgbPlanes[0], rgbPlanes[1], rgbPlanes[2]};
      kernels.horizontal(view, rows, 3, ring_.data() + size_t(next % ringRows) * 3 * stride, stride);
    }
    for (int tap = 0; tap < taps; ++tap) {
      rows_[size_t(tap)] = ring_.data() + size_t((first + tap) % ringRows) * 3 * stride;
    }
    kernels.vertical(rows_.data(), y.weightsOf(i), size_t(taps), 3 * stride, line_.data());
    kernels.interleave(line_.data(), line_.data() + stride, line_.data() + 2 * stride, size_t(view.out),
                       out + 3 * size_t(view.out) * size_t(i));
  }
}
