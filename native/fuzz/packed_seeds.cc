// Writes packed samples of JPEG files: packed_seeds <folder> <file>...; of each that can be packed the whole, where it is
// small, and a few MCUs of it, <name>.plain and <name>.compact (coded with the fuzzers' table), <name>.small.plain ...
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "../dct/compact.h"
#include "../dct/pack.h"
#include "../src/jpeg_reader.h"
#include "packed_input.h"

using namespace headrace;

namespace {

constexpr double kMaxPixels = 1 << 20;
constexpr size_t kMostBytes = 24 << 10;  // of a seed: larger ones are mutated where it matters little

// The blocks under a part of the picture that begins at an MCU.
Coefficients cut(const Coefficients& from, int width, int height, int mcuX, int mcuY) {
  Coefficients to = from;
  PackedPicture geometry;
  setGeometry(geometry, width, height, from.count, from.horizontal, from.vertical);
  to.width = width;
  to.height = height;
  for (int c = 0; c < from.count; c++) {
    Coefficients::Component& component = to.components[c];
    component.blocksWide = geometry.components[c].blocksWide;
    component.blocksHigh = geometry.components[c].blocksHigh;
    component.blocks.clear();
    const int x = c == 0 ? mcuX * from.horizontal : mcuX, y = c == 0 ? mcuY * from.vertical : mcuY;
    for (int row = y; row < y + component.blocksHigh; row++) {
      const int16_t* blocks = from.components[c].rowOfBlocks(row) + 64 * x;
      component.blocks.insert(component.blocks.end(), blocks, blocks + 64 * component.blocksWide);
    }
  }
  return to;
}

void write(const std::string& path, const std::vector<uint8_t>& bytes) {
  if (bytes.size() > kMostBytes) return;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

bool writeForms(const std::string& path, const Coefficients& coefficients, const RansTable& table) {
  std::vector<uint8_t> plain, compacted;
  if (pack(coefficients, kScalarKernels, plain)) return false;
  write(path + ".plain", plain);
  const size_t size = plain.size();
  plain.resize(size + kStripPadding);
  if (compact({plain.data(), size}, table, kScalarKernels, compacted)) return false;
  write(path + ".compact", compacted);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  RansTable table;
  table.build(fuzzFrequencies());
  int packed = 0;
  for (int i = 2; i < argc; i++) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    JpegReader reader;
    JpegOptions options;
    options.maxPixels = kMaxPixels;
    Coefficients coefficients;
    if (reader.open(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), options) || reader.coefficients(coefficients)) continue;
    const std::string path = std::string(argv[1]) + "/" + std::filesystem::path(argv[i]).stem().string();
    if (!writeForms(path, coefficients, table)) continue;
    packed++;
    const int mcuWidth = 8 * coefficients.horizontal, mcuHeight = 8 * coefficients.vertical;
    const int width = 2 * mcuWidth + 5, height = 2 * mcuHeight + 3;
    if (coefficients.width < 6 * mcuWidth || coefficients.height < 5 * mcuHeight) continue;
    writeForms(path + ".small", cut(coefficients, width, height, 3, 2), table);
  }
  std::printf("%d of %d files packed\n", packed, argc - 2);
  return packed > 0 ? 0 : 1;
}
