// A whole RGB resize put together from the kernels of one table, as the loader does it: for the tests and the benchmark.
#pragma once
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "../kernels/resize_plan.h"

struct Resize {
  headrace::HorizontalPlan x;
  headrace::Axis y;

  // rgb: height rows of `width` pixels without padding. out: y.out rows of x.out pixels. Sources of the axes are
  // positions 0 .. width and 0 .. height.
  void plan(const headrace::AxisSpec& xSpec, const headrace::AxisSpec& ySpec);
  void run(const headrace::Kernels& kernels, const uint8_t* rgb, int width, uint8_t* out);

 private:
  std::vector<uint8_t> planes_, line_;
  std::vector<int16_t> ring_;
  std::vector<const int16_t*> rows_;
};
