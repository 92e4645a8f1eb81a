// What one random-resized crop of a photograph costs from packed coefficients (one thread, everything in cache): header,
// the lengths of the sections of the crop's MCU rows (which is all the checking there is; the compact form's sections are
// decoded there too), planes of samples, RGB resized to 224 x 224. With each table, plain and compact.
// packed_bench <jpeg>...
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>

#include "../dct/compact.h"
#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "../src/jpeg_reader.h"
#include "../src/resampler.h"

using namespace headrace;

namespace {

constexpr int kRounds = 40, kCropsEach = 4, kSide = 224;
constexpr double kAnySize = 1e9;

struct Photo {
  std::vector<uint8_t> forms[2];  // plain, compact; each with kStripPadding bytes behind it
  std::vector<PixelRect> crops;
  std::span<const uint8_t> sample(int form) const { return {forms[form].data(), forms[form].size() - kStripPadding}; }
};

bool readJpeg(const char* path, Coefficients& out) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  JpegOptions options;
  options.maxPixels = kAnySize;
  JpegReader reader;
  return !reader.open(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), options) && !reader.coefficients(out);
}

// As torchvision draws them: 8 % to 100 % of the area, sides at most 4 : 3.
PixelRect randomCrop(int width, int height, std::mt19937& random) {
  std::uniform_real_distribution<double> area(0.08, 1), ratio(std::log(0.75), std::log(4 / 3.0));
  for (;;) {
    const double wanted = area(random) * width * height, side = std::exp(ratio(random));
    const int w = int(std::lround(std::sqrt(wanted * side))), h = int(std::lround(std::sqrt(wanted / side)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return {int(random() % unsigned(width - w + 1)), int(random() % unsigned(height - h + 1)), w, h};
  }
}

template <typename Run>
double leastNanoseconds(Run run) {
  using Clock = std::chrono::steady_clock;
  double least = 1e18;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    run();
    least = std::min(least, std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(1);
  std::vector<Photo> photos;
  RansCounts counts{};
  for (int i = 1; i < argc; ++i) {
    Coefficients coefficients;
    Photo photo;
    if (!readJpeg(argv[i], coefficients) || pack(coefficients, kScalarKernels, photo.forms[0])) continue;
    photo.forms[0].resize(photo.forms[0].size() + kStripPadding);
    (void)countSymbols(photo.sample(0), kScalarKernels, counts);
    for (int k = 0; k < kCropsEach; ++k) photo.crops.push_back(randomCrop(coefficients.width, coefficients.height, random));
    photos.push_back(std::move(photo));
  }
  RansTable table;
  table.build(frequenciesOf(counts));
  double pixels = 0;
  for (Photo& photo : photos) {
    (void)compact(photo.sample(0), table, kScalarKernels, photo.forms[1]);
    photo.forms[1].resize(photo.forms[1].size() + kStripPadding);
    for (const PixelRect& crop : photo.crops) pixels += double(crop.width) * crop.height;
  }
  const size_t crops = photos.size() * kCropsEach;
  if (crops == 0) return std::printf("no JPEG that can be packed\n"), 1;
  std::printf("%zu crops of %zu photographs, %.0f pixels each\n", crops, photos.size(), pixels / double(crops));

  const Kernels* tables[8];
  const size_t count = availableKernels(tables, 8);
  for (size_t t = 0; t < count; ++t) {
    for (const int form : {0, 1}) {
      PackedReader reader(*tables[t]);
      Strips strips(*tables[t]);
      Resampler resampler(*tables[t]);
      View view;
      view.width = view.height = kSide;
      std::vector<uint8_t> out(3 * kSide * kSide);
      const auto each = [&](auto run) {
        double sum = 0;
        for (const Photo& photo : photos)
          for (const PixelRect& crop : photo.crops) sum += leastNanoseconds([&] { run(photo.sample(form), crop); });
        return sum / double(crops);
      };
      PackedPicture picture;
      const auto open = [&](std::span<const uint8_t> sample) { (void)reader.open(sample, kStripPadding, &table, kAnySize); };
      const double header = each([&](std::span<const uint8_t> sample, const PixelRect&) { (void)PackedPicture::parse(sample, picture); });
      const double lengths = each([&](std::span<const uint8_t> sample, const PixelRect& crop) {
        (void)PackedPicture::parse(sample, picture);
        const int height = 8 * picture.vertical;
        (void)strips.find(picture, &table, crop.y / height, (crop.y + crop.height - 1) / height + 1);
      }) - header;
      const double planes = each([&](std::span<const uint8_t> sample, const PixelRect& crop) { open(sample), (void)reader.decode(crop); });
      const double whole = each([&](std::span<const uint8_t> sample, const PixelRect& crop) {
        open(sample);
        const Box box{{0, 0, reader.width(), reader.height()}, double(crop.x), double(crop.y), double(crop.width), double(crop.height)};
        (void)reader.decode(Resampler::reach(view, box));
        reader.rows(resampler.begin(view, box, out.data()), resampler);
      });
      std::printf("%-7s %-7s %8.0f ns: header %5.0f (%.2f %%), lengths %7.0f (%4.1f %%), planes %8.0f, resized RGB %8.0f\n", tables[t]->name,
                  form == 0 ? "plain" : "compact", whole, header, 100 * header / whole, lengths, 100 * lengths / whole,
                  planes - lengths - header, whole - planes);
    }
  }
}
