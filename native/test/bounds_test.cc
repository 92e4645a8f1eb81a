// What each kernel may write. Reads past the stated bounds are for `make sanitize`: every buffer has its exact size.
#include <algorithm>

#include "../kernels/resize_plan.h"
#include "cases.h"

using namespace headrace;

namespace {

const Case exact("interleave, deinterleave, reverse and normalise write exactly n", [](Check& check) {
  std::mt19937 random(11);
  const float scale[3] = {1, 2, 3}, bias[3] = {0, 1, 2};
  for (const Kernels* kernels : allTables()) {
    for (size_t n = 0; n <= 210; ++n) {
      const auto in = randomBytes(3 * n, random);
      Guarded<uint8_t> r(n), g(n), b(n), rgb(3 * n), back(n);
      kernels->deinterleave(in.data(), n, r.data(), g.data(), b.data());
      check.that(r.intactFrom(n) && g.intactFrom(n) && b.intactFrom(n), "%s deinterleave n=%zu", kernels->name, n);
      const std::vector<uint8_t> plane(in.begin(), in.begin() + long(n));
      kernels->interleave(plane.data(), plane.data(), plane.data(), n, rgb.data());
      check.that(rgb.intactFrom(3 * n), "%s interleave n=%zu", kernels->name, n);
      kernels->reverse(plane.data(), n, back.data());
      check.that(back.intactFrom(n), "%s reverse n=%zu", kernels->name, n);
      Guarded<float> floats(n);
      Guarded<uint16_t> halves(n);
      kernels->normalizeF32(plane.data(), n, scale, bias, 3, floats.data());
      kernels->normalizeF16(plane.data(), n, scale, bias, 3, halves.data());
      check.that(floats.intactFrom(n) && halves.intactFrom(n), "%s normalise n=%zu", kernels->name, n);
    }
  }
});

const Case streamed("stream copies whole lines to aligned memory, and writes no more", [](Check& check) {
  std::mt19937 random(13);
  for (const Kernels* kernels : allTables()) {
    for (size_t lines = 0; lines <= 20; ++lines) {
      const size_t n = lines * kStreamLine;
      const auto in = randomBytes(n, random);
      Guarded<uint8_t> memory(n + kStreamLine);
      uint8_t* out = memory.data() + (kStreamLine - reinterpret_cast<uintptr_t>(memory.data()) % kStreamLine) % kStreamLine;
      kernels->stream(in.data(), n, out);
      kernels->settle();
      check.that(std::equal(in.begin(), in.end(), out), "%s %zu lines", kernels->name, lines);
      check.that(memory.intactFrom(size_t(out - memory.data()) + n), "%s %zu lines: writes further", kernels->name, lines);
    }
  }
});

const Case rounded("vertical writes n rounded up to kRowAlign, and reads no more of a row", [](Check& check) {
  for (const Kernels* kernels : allTables()) {
    for (size_t taps : {1, 2, 3, 4, 5, 6, 16, 17, 30}) {
      for (size_t n = 1; n <= 100; ++n) {
        const std::vector<int16_t> row(roundUp(n), 12345);
        const std::vector<const int16_t*> rows(taps, row.data());
        const std::vector<int16_t> weights(taps, int16_t(32768 / (taps + 1)));
        Guarded<uint8_t> out(roundUp(n));
        kernels->vertical(rows.data(), weights.data(), taps, n, out.data());
        check.that(out.intactFrom(roundUp(n)), "%s taps=%zu n=%zu", kernels->name, taps, n);
      }
    }
  }
});

const Case rowwise("horizontal stays within outStride and kRowPadding, windowed or not", [](Check& check) {
  std::mt19937 random(12);
  for (const Kernels* kernels : allTables()) {
    for (int round = 0; round < 600; ++round) {
      const int source = 1 + int(random() % (round % 2 ? 60 : 2000)), out = 1 + int(random() % 100);
      HorizontalPlan plan;
      plan.build({0, double(source), 0, source, out, round % 3 == 0}, 0);
      const auto row = randomBytes(size_t(source) + kRowPadding, random);
      const uint8_t* const rows[3] = {row.data(), row.data(), row.data()};
      const size_t stride = roundUp(size_t(out)), planes = round % 5 == 0 ? 1 : 3;
      Guarded<int16_t> result(3 * stride);
      kernels->horizontal(plan.view(), rows, planes, result.data(), stride);
      check.that(result.intactFrom(planes * stride), "%s %d -> %d, %zu planes", kernels->name, source, out, planes);
    }
  }
});

}  // namespace
