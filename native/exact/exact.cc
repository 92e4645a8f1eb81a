// Packed coefficients against libjpeg: crops of many JPEGs, in both forms, by every instruction set, and the JPEG that
// they are turned back into. Usage: exact [--jpegs N] [--crops N] [FOLDER ...]. Exits with 1 where a pixel differs.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "../dct/compact.h"
#include "../dct/jpeg_writer.h"
#include "../dct/pack.h"
#include "../dct/packed_reader.h"
#include "../src/jpeg_reader.h"
#include "jpegs.h"

using namespace headrace;

namespace {

constexpr double kMaxPixels = 1e9;
constexpr int kShownFailures = 10;
constexpr size_t kMostTables = 8;

// Compares the rows that it is given with those of a whole picture.
class Comparison final : public RowSink {
 public:
  Comparison(const Rgb& whole, const PixelRect& rect) : whole_(whole), rect_(rect) {}
  uint8_t* target(int) override { return nullptr; }
  void row(int, const uint8_t*) override { same_ = false; }
  void planes(int y, const uint8_t* const (&rgb)[3]) override {
    rows_++;
    const uint8_t* expected = whole_.pixels.data() + (static_cast<size_t>(y) * static_cast<size_t>(whole_.width) + static_cast<size_t>(rect_.x)) * 3;
    for (int x = 0; x < rect_.width; x++)
      for (int c = 0; c < 3; c++) same_ = same_ && rgb[c][x] == expected[3 * x + c];
  }
  bool equal() const { return same_ && rows_ == rect_.height; }

 private:
  const Rgb& whole_;
  const PixelRect rect_;
  int rows_ = 0;
  bool same_ = true;
};

struct Tried {
  std::string name;
  std::vector<uint8_t> jpeg, plain;
};

class Exactness {
 public:
  explicit Exactness(int crops) : crops_(crops), tables_(kMostTables) {
    tables_.resize(availableKernels(tables_.data(), tables_.size()));
  }

  void add(const std::string& name, std::vector<uint8_t> jpeg) {
    Tried tried{name, std::move(jpeg), {}};
    Coefficients coefficients;
    Fault fault = reader_.open(tried.jpeg.data(), tried.jpeg.size(), options());
    if (!fault) fault = reader_.coefficients(coefficients);
    for (const Kernels* kernels : tables_) {
      std::vector<uint8_t> packed;
      if (!fault) fault = pack(coefficients, *kernels, packed);
      if (fault) break;
      if (!tried.plain.empty() && packed != tried.plain) fail("%s packs %s otherwise", kernels->name, name.c_str());
      tried.plain = std::move(packed);
    }
    if (fault) {
      unpacked_[fault.reason]++;
      return;
    }
    countSymbols(padded(tried.plain), *tables_[0], counts_);
    tried_.push_back(std::move(tried));
  }

  int run() {
    RansTable table;
    const RansFrequencies frequencies = frequenciesOf(counts_);
    if (!table.build(frequencies)) fail("the table is not one");
    for (const Tried& tried : tried_) check(tried, table);
    std::printf("%zu JPEGs, %zu crops in 2 forms by", tried_.size(), checked_);
    for (const Kernels* kernels : tables_) std::printf(" %s", kernels->name);
    std::printf(", libjpeg-turbo %s: %d differ\n", JpegReader::version(), failures_);
    for (const auto& [reason, count] : unpacked_) std::printf("not packed: %d (%s)\n", count, reason.c_str());
    return failures_ == 0 && checked_ > 0 ? 0 : 1;
  }

 private:
  static JpegOptions options() {
    JpegOptions options;
    options.maxPixels = kMaxPixels;
    return options;
  }

  // The sample with the padding that it needs, in memory that ends there.
  std::span<const uint8_t> padded(const std::vector<uint8_t>& sample) {
    memory_ = sample;
    memory_.resize(sample.size() + kStripPadding);
    return {memory_.data(), sample.size()};
  }

  template <typename... Values>
  void fail(const char* format, Values... values) {
    if (failures_++ >= kShownFailures) return;
    std::printf(format, values...);
    std::printf("\n");
  }

  std::vector<PixelRect> drawCrops(int width, int height) {
    std::vector<PixelRect> rects{{0, 0, width, height}};
    const auto upTo = [&](int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); };
    for (int i = 0; i < crops_; i++) {
      const int w = 1 + upTo(width), h = 1 + upTo(height);
      rects.push_back({upTo(width - w + 1), upTo(height - h + 1), w, h});
    }
    return rects;
  }

  void check(const Tried& tried, const RansTable& table) {
    Rgb whole;
    if (!decodeJpeg(tried.jpeg, whole)) return fail("libjpeg refuses %s, which was packed", tried.name.c_str());
    std::vector<uint8_t> compacted;
    if (const Fault fault = compact(padded(tried.plain), table, *tables_[0], compacted)) return fail("%s: %s", tried.name.c_str(), fault.reason);
    const auto rects = drawCrops(whole.width, whole.height);
    checked_ += rects.size();
    for (const std::vector<uint8_t>* sample : std::initializer_list<const std::vector<uint8_t>*>{&tried.plain, &compacted}) {
      for (const Kernels* kernels : tables_) checkCrops(tried, *sample, table, *kernels, whole, rects);
      checkReverse(tried, *sample, table, whole);
    }
  }

  void checkCrops(const Tried& tried, const std::vector<uint8_t>& sample, const RansTable& table, const Kernels& kernels,
                  const Rgb& whole, const std::vector<PixelRect>& rects) {
    PackedReader reader(kernels);
    for (const PixelRect& rect : rects) {
      Fault fault = reader.open(padded(sample), kStripPadding, &table, kMaxPixels);
      if (!fault) fault = reader.decode(rect);
      Comparison comparison(whole, rect);
      if (!fault) reader.rows(rect, comparison);
      if (fault || !comparison.equal())
        fail("%s, %s, crop %d,%d %dx%d: %s", kernels.name, tried.name.c_str(), rect.x, rect.y, rect.width, rect.height, fault ? fault.reason : "pixels differ");
    }
  }

  // A JPEG made of the sample has the same coefficients and pixels.
  void checkReverse(const Tried& tried, const std::vector<uint8_t>& sample, const RansTable& table, const Rgb& whole) {
    PackedReader packed(*tables_[0]);
    Coefficients coefficients, again;
    std::vector<uint8_t> jpeg, plain;
    Fault fault = packed.open(padded(sample), kStripPadding, &table, kMaxPixels);
    if (!fault) fault = packed.coefficients(coefficients);
    if (!fault) fault = writeJpeg(coefficients, jpeg);
    if (!fault) fault = reader_.open(jpeg.data(), jpeg.size(), options());
    if (!fault) fault = reader_.coefficients(again);
    if (!fault) fault = pack(again, *tables_[0], plain);
    if (fault) return fail("%s turned back: %s", tried.name.c_str(), fault.reason);
    Rgb pixels;
    if (plain != tried.plain || !decodeJpeg(jpeg, pixels) || pixels.pixels != whole.pixels) fail("%s does not turn back", tried.name.c_str());
  }

  const int crops_;
  std::vector<const Kernels*> tables_;
  std::mt19937 random_{7};
  JpegReader reader_;
  std::vector<Tried> tried_;
  std::vector<uint8_t> memory_;
  RansCounts counts_{};
  std::map<std::string, int> unpacked_;
  size_t checked_ = 0;
  int failures_ = 0;
};

std::vector<uint8_t> contentsOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  int jpegs = 1000, crops = 5;
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; i++) {
    if (std::strcmp(argv[i], "--jpegs") == 0 && i + 1 < argc) jpegs = std::atoi(argv[++i]);
    else if (std::strcmp(argv[i], "--crops") == 0 && i + 1 < argc) crops = std::atoi(argv[++i]);
    else
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
        if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Exactness exactness(crops);
  std::mt19937 random(1);
  for (int i = 0; i < jpegs; i++) {
    std::string description;
    auto jpeg = makeJpeg(random, description);
    exactness.add("generated " + std::to_string(i) + ": " + description, std::move(jpeg));
  }
  for (const auto& path : files) {
    auto bytes = contentsOf(path);
    if (bytes.size() > 2 && bytes[0] == 0xff && bytes[1] == 0xd8) exactness.add(path.string(), std::move(bytes));
  }
  return exactness.run();
}
