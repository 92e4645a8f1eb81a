// Upsampling and colour: SIMD against scalar bit for bit, within the padding that kernels.h states.
#include <algorithm>

#include "cases.h"

using namespace headrace;

namespace {

// A row of n samples in memory of exactly what may be read: the sample before it, and kRowPadding bytes behind it, of
// which the first is the sample after it.
struct Row {
  std::vector<uint8_t> memory;
  Row(size_t n, unsigned kind, std::mt19937& random) : memory(randomBytes(1 + n + kRowPadding, random)) {
    if (kind == 0) std::fill(memory.begin(), memory.end(), uint8_t(random() % 2 ? 255 : 0));
    if (kind == 1) for (uint8_t& sample : memory) sample = random() % 2 ? 255 : 0;
  }
  const uint8_t* samples() const { return memory.data() + 1; }
};

bool equal(const Guarded<uint8_t>& out, const std::vector<uint8_t>& expected) { return std::equal(expected.begin(), expected.end(), out.all.begin()); }

const Case doubling("upsample2x1 equals scalar for 1..100 samples and writes two a sample, rounded up to kRowAlign", [](Check& check) {
  std::mt19937 random(31);
  for (size_t n = 1; n <= 100; ++n) {
    for (unsigned kind = 0; kind < 5; ++kind) {
      const Row row(n, kind, random);
      std::vector<uint8_t> expected(2 * n);
      kScalarKernels.upsample2x1(row.samples(), n, expected.data());
      for (const Kernels* kernels : simdTables()) {
        Guarded<uint8_t> out(2 * roundUp(n));
        kernels->upsample2x1(row.samples(), n, out.data());
        check.that(equal(out, expected), "%s n=%zu", kernels->name, n);
        check.that(out.intactFrom(2 * roundUp(n)), "%s n=%zu writes further", kernels->name, n);
      }
    }
  }
});

const Case vertical("upsample1x2 equals scalar for 1..100 samples, both biases, and writes n rounded up to kRowAlign", [](Check& check) {
  std::mt19937 random(32);
  for (size_t n = 1; n <= 100; ++n) {
    for (unsigned kind = 0; kind < 5; ++kind) {
      const Row near(n, kind, random), far(n, kind, random);
      for (int bias : {1, 2}) {
        std::vector<uint8_t> expected(n);
        kScalarKernels.upsample1x2(near.samples(), far.samples(), bias, n, expected.data());
        for (const Kernels* kernels : simdTables()) {
          Guarded<uint8_t> out(roundUp(n));
          kernels->upsample1x2(near.samples(), far.samples(), bias, n, out.data());
          check.that(equal(out, expected), "%s n=%zu", kernels->name, n);
          check.that(out.intactFrom(roundUp(n)), "%s n=%zu writes further", kernels->name, n);
        }
      }
    }
  }
});

const Case both("upsample2x2 equals scalar for 1..100 samples and writes two a sample, rounded up to kRowAlign", [](Check& check) {
  std::mt19937 random(33);
  for (size_t n = 1; n <= 100; ++n) {
    for (unsigned kind = 0; kind < 5; ++kind) {
      const Row near(n, kind, random), far(n, kind, random);
      std::vector<uint8_t> expected(2 * n);
      kScalarKernels.upsample2x2(near.samples(), far.samples(), n, expected.data());
      for (const Kernels* kernels : simdTables()) {
        Guarded<uint8_t> out(2 * roundUp(n));
        kernels->upsample2x2(near.samples(), far.samples(), n, out.data());
        check.that(equal(out, expected), "%s n=%zu", kernels->name, n);
        check.that(out.intactFrom(2 * roundUp(n)), "%s n=%zu writes further", kernels->name, n);
      }
    }
  }
});

const Case edges("upsampling weighs the nearer sample three times and alternates its rounding", [](Check& check) {
  const uint8_t near[1 + 3 + kRowPadding] = {10, 10, 21, 35, 35}, far[1 + 3 + kRowPadding] = {11, 11, 11, 11, 11};
  for (const Kernels* kernels : allTables()) {
    uint8_t out[2 * kRowAlign];
    const auto is = [&](std::initializer_list<int> expected, const char* what) {
      check.that(std::equal(expected.begin(), expected.end(), out), "%s %s: %d %d %d", kernels->name, what, out[0], out[1], out[2]);
    };
    kernels->upsample2x1(near + 1, 3, out);
    is({10, 13, 18, 25, 31, 35}, "2x1");
    kernels->upsample1x2(near + 1, far + 1, 1, 3, out);
    is({10, 18, 29}, "1x2 above");
    kernels->upsample1x2(near + 1, far + 1, 2, 3, out);
    is({10, 19, 29}, "1x2 below");
    kernels->upsample2x2(near + 1, far + 1, 3, out);
    is({10, 12, 16, 21, 26, 29}, "2x2");
  }
});

const Case colouring("toRgb equals scalar for every Cb and Cr under 36 values of Y", [](Check& check) {
  std::vector<uint8_t> y(256), cb(256), cr(256);
  for (size_t i = 0; i < 256; ++i) cr[i] = uint8_t(i);
  std::vector<uint8_t> expected[3], got[3];
  for (auto* planes : {expected, got}) std::fill(planes, planes + 3, std::vector<uint8_t>(256));
  for (int luma = 0; luma < 256; luma = luma < 250 ? luma + 8 : luma + 1) {
    for (int blue = 0; blue < 256; ++blue) {
      std::fill(y.begin(), y.end(), uint8_t(luma));
      std::fill(cb.begin(), cb.end(), uint8_t(blue));
      kScalarKernels.toRgb(y.data(), cb.data(), cr.data(), 256, expected[0].data(), expected[1].data(), expected[2].data());
      for (const Kernels* kernels : simdTables()) {
        kernels->toRgb(y.data(), cb.data(), cr.data(), 256, got[0].data(), got[1].data(), got[2].data());
        for (int c = 0; c < 3; ++c) check.that(got[c] == expected[c], "%s Y=%d Cb=%d channel %d", kernels->name, luma, blue, c);
      }
    }
  }
});

const Case colourLengths("toRgb equals scalar for 1..100 random pixels, reading and writing n rounded up to kRowAlign", [](Check& check) {
  std::mt19937 random(34);
  for (size_t n = 1; n <= 100; ++n) {
    for (int round = 0; round < 20; ++round) {
      const auto y = randomBytes(roundUp(n), random), cb = randomBytes(roundUp(n), random), cr = randomBytes(roundUp(n), random);
      std::vector<uint8_t> expected[3];
      for (auto& plane : expected) plane.resize(n);
      kScalarKernels.toRgb(y.data(), cb.data(), cr.data(), n, expected[0].data(), expected[1].data(), expected[2].data());
      for (const Kernels* kernels : simdTables()) {
        Guarded<uint8_t> r(roundUp(n)), g(roundUp(n)), b(roundUp(n));
        kernels->toRgb(y.data(), cb.data(), cr.data(), n, r.data(), g.data(), b.data());
        check.that(equal(r, expected[0]) && equal(g, expected[1]) && equal(b, expected[2]), "%s n=%zu", kernels->name, n);
        check.that(r.intactFrom(roundUp(n)) && g.intactFrom(roundUp(n)) && b.intactFrom(roundUp(n)), "%s n=%zu writes further", kernels->name, n);
      }
    }
  }
});

const Case fused("upsample2x2ToRgb is upsample2x2 of both chroma rows, either way round, then toRgb, for 1..100 and 600 samples", [](Check& check) {
  std::mt19937 random(35);
  for (size_t n = 1; n <= 100; ++n) {
    const size_t count = n < 95 ? n : 100 * n - 9250 + n;  // more than a kernel mixes at once, too
    for (unsigned kind = 0; kind < 5; ++kind) {
      const Row cb[2] = {{count, kind, random}, {count, 4, random}}, cr[2] = {{count, 4, random}, {count, kind, random}};
      const auto upper = randomBytes(2 * roundUp(count), random), lower = randomBytes(2 * roundUp(count), random);
      const uint8_t* const y[2] = {upper.data(), lower.data()};
      std::vector<uint8_t> blue(2 * count), red(2 * count), expected[2][3];
      for (size_t k = 0; k < 2; ++k) {
        for (auto& plane : expected[k]) plane.resize(2 * count);
        kScalarKernels.upsample2x2(cb[k].samples(), cb[1 - k].samples(), count, blue.data());
        kScalarKernels.upsample2x2(cr[k].samples(), cr[1 - k].samples(), count, red.data());
        kScalarKernels.toRgb(y[k], blue.data(), red.data(), 2 * count, expected[k][0].data(), expected[k][1].data(), expected[k][2].data());
      }
      for (const Kernels* kernels : allTables()) {
        std::vector<Guarded<uint8_t>> out(6, Guarded<uint8_t>(2 * roundUp(count)));
        kernels->upsample2x2ToRgb(y, {cb[0].samples(), cb[1].samples()}, {cr[0].samples(), cr[1].samples()}, count,
                                  {{out[0].data(), out[1].data(), out[2].data()}, {out[3].data(), out[4].data(), out[5].data()}});
        for (size_t i = 0; i < 6; ++i) {
          check.that(equal(out[i], expected[i / 3][i % 3]), "%s n=%zu row %zu plane %zu", kernels->name, count, i / 3, i % 3);
          check.that(out[i].intactFrom(2 * roundUp(count)), "%s n=%zu writes further", kernels->name, count);
        }
      }
    }
  }
});

const Case colours("toRgb gives primaries and greys their colours", [](Check& check) {
  const struct { uint8_t y, cb, cr, r, g, b; } known[] = {{0, 128, 128, 0, 0, 0}, {255, 128, 128, 255, 255, 255}, {77, 128, 128, 77, 77, 77},
                                                          {76, 85, 255, 254, 0, 0}, {150, 44, 21, 0, 255, 1}, {29, 255, 107, 0, 0, 254}};
  for (const Kernels* kernels : allTables()) {
    for (const auto& colour : known) {
      const std::vector<uint8_t> y(kRowAlign, colour.y), cb(kRowAlign, colour.cb), cr(kRowAlign, colour.cr);
      uint8_t r[kRowAlign], g[kRowAlign], b[kRowAlign];
      kernels->toRgb(y.data(), cb.data(), cr.data(), 3, r, g, b);
      check.that(r[2] == colour.r && g[2] == colour.g && b[2] == colour.b, "%s %d %d %d: %d %d %d", kernels->name, colour.y, colour.cb, colour.cr, r[2], g[2], b[2]);
    }
  }
});

}  // namespace
