// The plan of an axis, the horizontal pass it drives, and whole resizes against double precision.
#include "resize.h"

#include <algorithm>
#include <cmath>

#include "cases.h"

using namespace headrace;

namespace {

struct Image {
  int width, height;
  std::vector<uint8_t> rgb;
};

std::vector<uint8_t> resized(const Kernels& kernels, const Image& image, const AxisSpec& x, const AxisSpec& y) {
  Resize resize;
  resize.plan(x, y);
  std::vector<uint8_t> out(3 * size_t(x.out) * size_t(y.out));
  resize.run(kernels, image.rgb.data(), image.width, out.data());
  return out;
}

AxisSpec whole(int from, int to) { return {0, double(from), 0, from, to, false}; }

AxisSpec randomSpec(int size, int out, std::mt19937& random) {
  std::uniform_real_distribution<double> unit(0, 1);
  AxisSpec spec = whole(size, out);
  if (random() % 3 == 0) {
    spec.length = std::max(0.3, size * unit(random));
    spec.start = (size - spec.length) * unit(random);
  }
  if (random() % 4 == 0) {  // a box partly outside the clip
    spec.start -= size * 0.3;
    spec.length += size * 0.6;
  }
  spec.mirrored = random() % 3 == 0;
  return spec;
}

// The definition in double precision: one axis of the triangle filter over `channels` interleaved samples.
std::vector<double> exactAxis(const std::vector<double>& in, int lines, int size, int channels, const AxisSpec& spec) {
  std::vector<double> out(size_t(lines) * size_t(spec.out) * size_t(channels));
  const double scale = spec.length / spec.out, support = std::max(1.0, scale);
  for (int i = 0; i < spec.out; ++i) {
    const double center = spec.start + (i + 0.5) * scale;
    const int from = std::max(spec.lo, int(std::floor(center - support + 0.5)));
    const int to = std::min(spec.hi, int(std::floor(center + support + 0.5)));
    double total = 0;
    std::vector<double> weights;
    for (int k = from; k < to; ++k) weights.push_back(std::max(0.0, 1 - std::abs(k + 0.5 - center) / support));
    for (double weight : weights) total += weight;
    const int at = spec.mirrored ? spec.out - 1 - i : i;
    for (int line = 0; line < lines; ++line) {
      for (int c = 0; c < channels; ++c) {
        double sum = 0;
        for (int k = from; k < to; ++k) {
          sum += weights[size_t(k - from)] / total * in[size_t((line * size + k) * channels + c)];
        }
        out[size_t((line * spec.out + at) * channels + c)] = sum;
      }
    }
  }
  return out;
}

std::vector<double> transposed(const std::vector<double>& in, int rows, int columns) {  // of RGB pixels
  std::vector<double> out(in.size());
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < columns; ++x) {
      for (int c = 0; c < 3; ++c) out[size_t((x * rows + y) * 3 + c)] = in[size_t((y * columns + x) * 3 + c)];
    }
  }
  return out;
}

std::vector<double> exactResize(const Image& image, const AxisSpec& x, const AxisSpec& y) {
  const std::vector<double> samples(image.rgb.begin(), image.rgb.end());
  const auto wide = exactAxis(samples, image.height, image.width, 3, x);
  const auto high = exactAxis(transposed(wide, image.height, x.out), x.out, image.height, 3, y);
  return transposed(high, x.out, y.out);
}

double worstError(const Image& image, const AxisSpec& x, const AxisSpec& y) {
  const auto ours = resized(kScalarKernels, image, x, y);
  const auto exact = exactResize(image, x, y);
  double worst = 0;
  for (size_t i = 0; i < ours.size(); ++i) worst = std::max(worst, std::abs(ours[i] - exact[i]));
  return worst;
}

// ---- cases

const Case rowsOfWeights("an axis sums to one, inside its clip, at any scale", [](Check& check) {
  std::mt19937 random(21);
  Axis axis;
  for (int round = 0; round < 4000; ++round) {
    static constexpr int kExtremes[] = {1, 2, 3, 65500};
    const int size = round % 8 == 0 ? kExtremes[random() % 4] : 1 + int(random() % 3000);
    const int out = round % 16 == 0 ? 1 : 1 + int(random() % 300);
    AxisSpec spec = randomSpec(size, out, random);
    if (round % 50 == 0) spec.start += (round % 100 ? 3.0 : -3.0) * size;  // wholly outside
    if (round % 97 == 0) spec.start = 1e15;
    const int shift = int(random() % 100) - 50;
    spec.lo += shift, spec.hi += shift, spec.start += shift;
    axis.build(spec);
    check.that(axis.maxTaps % 2 == 0, "maxTaps %d is odd", axis.maxTaps);
    for (int i = 0; i < out; ++i) {
      const int first = axis.first[size_t(i)], taps = axis.taps[size_t(i)];
      int sum = 0, least = 1;
      for (int tap = 0; tap < axis.maxTaps; ++tap) {
        sum += axis.weightsOf(i)[tap];
        least = std::min<int>(least, axis.weightsOf(i)[tap]);
        check.that(tap < taps || axis.weightsOf(i)[tap] == 0, "row %d is not padded with zeros", i);
      }
      check.that(sum == (taps == 1 ? 32767 : 32768) && least >= 0, "%d -> %d row %d: sum %d", size, out, i, sum);
      check.that(first >= spec.lo && taps >= 1 && taps <= axis.maxTaps && first + taps <= spec.hi,
                 "%d -> %d row %d: %d taps from %d", size, out, i, taps, first);
      check.that(axis.lowest() <= first && axis.highest() >= first + taps, "row %d is outside lowest .. highest", i);
    }
  }
});

const Case reuse("a plan rebuilt no larger allocates nothing", [](Check& check) {
  Axis axis;
  axis.build(whole(500, 224));
  const int16_t* const weights = axis.weights.data();
  const int32_t *const first = axis.first.data(), *const taps = axis.taps.data();
  axis.build({3.5, 220.25, 0, 500, 224, true});
  check.that(axis.weights.data() == weights && axis.first.data() == first && axis.taps.data() == taps, "axis moved");
  HorizontalPlan plan;
  plan.build(whole(500, 224), 0);
  const HorizontalView before = plan.view();
  plan.build({3.5, 220.25, 0, 500, 224, true}, 3);
  const HorizontalView after = plan.view();
  check.that(before.shuffle == after.shuffle && before.window == after.window && before.first == after.first, "plan moved");
});

const Case horizontals("horizontal equals scalar: any scale, fractional and mirrored boxes, any origin", [](Check& check) {
  std::mt19937 random(22);
  int windowed = 0, dots = 0;
  HorizontalPlan plan;
  for (const Kernels* kernels : simdTables()) {
    for (int round = 0; round < 1500; ++round) {
      const int size = 1 + int(random() % (round % 4 ? 70 : 1500)), out = 1 + int(random() % 70);
      const AxisSpec spec = round % 10 == 0 ? whole(size, size) : randomSpec(size, out, random);
      plan.build(spec, 0);
      const int origin = round % 2 ? plan.axis().lowest() : 0;
      plan.build(spec, origin);
      const HorizontalView view = plan.view();
      ++(view.windowed ? windowed : dots);
      const size_t planes = round % 3 ? 3 : 1, stride = roundUp(size_t(view.out));
      const size_t length = size_t(plan.axis().highest() - origin) + kRowPadding;
      std::vector<uint8_t> sources[3];
      for (auto& source : sources) source = randomBytes(length, random);
      const uint8_t* const rows[3] = {sources[0].data(), sources[1].data(), sources[2].data()};
      std::vector<int16_t> expected(planes * stride), result(planes * stride);
      kScalarKernels.horizontal(view, rows, planes, expected.data(), stride);
      kernels->horizontal(view, rows, planes, result.data(), stride);
      for (size_t k = 0; k < planes; ++k) {
        for (size_t i = 0; i < size_t(view.out); ++i) {
          check.that(expected[k * stride + i] == result[k * stride + i], "%s %d -> %d plane %zu sample %zu", kernels->name,
                     size, view.out, k, i);
        }
      }
    }
  }
  check.that(windowed > 100 && dots > 100, "one way is not exercised");
  check.note("%d windowed, %d by dot products", windowed, dots);
});

const Case whole4000("a whole resize equals scalar, 4000 columns and 1 pixel included", [](Check& check) {
  std::mt19937 random(23);
  const int sizes[][4] = {{4000, 31, 224, 9}, {1, 1, 224, 224}, {187, 187, 224, 224}, {500, 375, 224, 224}, {3, 900, 40, 7}};
  for (const auto& [width, height, toWidth, toHeight] : sizes) {
    const Image image{width, height, randomBytes(3 * size_t(width) * size_t(height), random)};
    for (const bool mirrored : {false, true}) {
      AxisSpec x = whole(width, toWidth), y = whole(height, toHeight);
      x.mirrored = mirrored;
      const auto expected = resized(kScalarKernels, image, x, y);
      for (const Kernels* kernels : simdTables()) {
        check.that(resized(*kernels, image, x, y) == expected, "%s %dx%d", kernels->name, width, height);
      }
    }
  }
});

const Case mirror("a mirrored resize is the mirror image of the plain one", [](Check& check) {
  std::mt19937 random(24);
  const Image image{61, 45, randomBytes(3 * 61 * 45, random)};
  AxisSpec x{2.25, 50.5, 0, 61, 37, false}, y{1.5, 40, 0, 45, 52, false};
  const auto plain = resized(kScalarKernels, image, x, y);
  x.mirrored = y.mirrored = true;
  const auto mirrored = resized(kScalarKernels, image, x, y);
  const size_t pixels = plain.size() / 3;
  for (size_t i = 0; i < pixels; ++i) {
    check.that(std::equal(&plain[3 * i], &plain[3 * i] + 3, &mirrored[3 * (pixels - 1 - i)]), "pixel %zu", i);
  }
});

const Case identity("a resize to the same size changes none of the 256 values", [](Check& check) {
  Image image{256, 5, {}};
  for (int i = 0; i < 256 * 5; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb.push_back(uint8_t(i + 85 * c));
  }
  auto tables = simdTables();
  tables.push_back(&kScalarKernels);
  for (const Kernels* kernels : tables) {
    check.that(resized(*kernels, image, whole(256, 256), whole(5, 5)) == image.rgb, "%s", kernels->name);
  }
});

const Case constant("a constant image stays constant at every scale, 65500 columns or rows included", [](Check& check) {
  auto tables = simdTables();
  tables.push_back(&kScalarKernels);
  std::mt19937 random(25);
  for (const int value : {0, 255, 137, 1, 254}) {
    for (int round = 0; round < 40; ++round) {
      int width = 1 + int(random() % 600), height = 1 + int(random() % 600);
      if (round == 0) width = 65500, height = 2;
      if (round == 1) width = 2, height = 65500;
      const AxisSpec x = randomSpec(width, 1 + int(random() % 70), random);
      const AxisSpec y = randomSpec(height, 1 + int(random() % 70), random);
      const Image image{width, height, std::vector<uint8_t>(3 * size_t(width) * size_t(height), uint8_t(value))};
      for (const Kernels* kernels : tables) {
        const auto out = resized(*kernels, image, x, y);
        const bool same = std::all_of(out.begin(), out.end(), [&](uint8_t sample) { return sample == value; });
        check.that(same, "%s value %d, %dx%d -> %dx%d", kernels->name, value, width, height, x.out, y.out);
      }
    }
  }
});

const Case accuracy("a whole resize is within 0.6 of double precision", [](Check& check) {
  std::mt19937 random(26);
  double worst = 0;
  for (int round = 0; round < 60; ++round) {
    const int width = 1 + int(random() % 300), height = 1 + int(random() % 300);
    Image image{width, height, randomBytes(3 * size_t(width) * size_t(height), random)};
    if (round % 2) {  // black and white noise: the largest differences there are
      for (uint8_t& sample : image.rgb) sample = sample & 1 ? 255 : 0;
    }
    AxisSpec x = randomSpec(width, 1 + int(random() % 120), random), y = randomSpec(height, 1 + int(random() % 120), random);
    const auto inside = [](AxisSpec& spec, int size) {  // the reference has no answer for outputs wholly outside
      spec.start = std::max(spec.start, 0.0);
      spec.length = std::min(spec.length, size - spec.start);
    };
    inside(x, width);
    inside(y, height);
    worst = std::max(worst, worstError(image, x, y));
  }
  check.that(worst <= 0.6, "%.3f", worst);
  check.note("at most %.3f", worst);
});

const Case extremeAccuracy("65500 samples to 7, to 224 and to 1 are within 1 of double precision", [](Check& check) {
  std::mt19937 random(27);
  Image image{65500, 2, randomBytes(3 * 65500 * 2, random)};
  double worst = 0;
  for (const int out : {1, 7, 224}) worst = std::max(worst, worstError(image, whole(65500, out), whole(2, 2)));
  std::swap(image.width, image.height);
  for (const int out : {1, 7, 224}) worst = std::max(worst, worstError(image, whole(2, 2), whole(65500, out)));
  check.that(worst <= 1, "%.3f", worst);
  check.note("at most %.3f", worst);
});

}  // namespace
