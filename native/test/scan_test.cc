// JpegScan and JpegReader's coefficients against libjpeg: what encoders write is read by our own decoder, and damaged
// code has the verdict and the coefficients that libjpeg alone gives it.
#include <algorithm>
#include <memory>

#include "../exact/jpegs.h"
#include "../src/jpeg_reader.h"
#include "bare_jpeg.h"
#include "samples.h"

using namespace headrace;

namespace {

// Blocks of all components, whatever the tables.
bool sameBlocks(const Coefficients& a, const Coefficients& b) {
  bool same = a.width == b.width && a.height == b.height && a.count == b.count && a.horizontal == b.horizontal && a.vertical == b.vertical;
  for (int c = 0; c < a.count && c < 3; ++c) same = same && a.components[c].blocks == b.components[c].blocks;
  return same;
}

// Whether JpegScan reads the picture to its end without libjpeg.
bool scans(const std::vector<uint8_t>& jpeg, const Kernels& kernels) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, jpeg.data(), static_cast<unsigned long>(jpeg.size()));
  jpeg_read_header(&info, TRUE);
  JpegScan scan(kernels);
  const int high = info.num_components == 1 ? 8 : 8 * info.max_v_samp_factor;
  bool sound = scan.begin(info);
  for (int y = 0; sound && y < int(info.image_height); y += high) sound = scan.decodeRow();
  sound = sound && scan.ended();
  jpeg_destroy_decompress(&info);
  return sound;
}

const Case reading("what libjpeg writes sequentially is read by JpegScan with every table: libjpeg's coefficients", [](Check& check) {
  std::mt19937 random(71);
  int scanned = 0;
  for (int round = 0; round < 250; ++round) {
    std::string description;
    const auto jpeg = makeJpeg(random, description);
    Coefficients expected;
    check.that(readBareJpeg(jpeg, expected), "libjpeg refuses %s", description.c_str());
    for (const Kernels* kernels : allTables()) {
      const bool progressive = description.find("progressive") != std::string::npos;
      check.that(scans(jpeg, *kernels) == !progressive, "%s %s", kernels->name, description.c_str());
      scanned += !progressive;
      JpegReader reader(*kernels);
      JpegOptions options;
      options.maxPixels = kAnySize;
      Coefficients got;
      Fault fault = reader.open(jpeg.data(), jpeg.size(), options);
      if (!fault) fault = reader.coefficients(got);
      check.that(!fault && sameBlocks(got, expected), "%s %s: %s", kernels->name, description.c_str(), fault.reason);
    }
  }
  check.note("%d by JpegScan", scanned);
});

// Something that may happen to a file.
void damage(std::vector<uint8_t>& jpeg, std::mt19937& random) {
  const auto place = [&] { return jpeg.size() < 3 ? 0 : 2 + random() % (jpeg.size() - 2); };
  switch (random() % 8) {
    case 0: jpeg.resize(place()); break;
    case 1: jpeg.insert(jpeg.end() - 2, 1 + random() % 3, uint8_t(random())); break;
    case 2: jpeg.insert(jpeg.begin() + long(place()), uint8_t(random() % 2 ? 0xff : 0)); break;
    case 3: jpeg.erase(jpeg.begin() + long(place())); break;
    case 4: jpeg[place()] = 0xff; break;
    case 5: {  // another marker
      const size_t at = place();
      if (at + 1 < jpeg.size()) jpeg[at] = 0xff, jpeg[at + 1] = uint8_t(0xc0 + random() % 64);
      break;
    }
    default: jpeg[place()] ^= uint8_t(1 << random() % 8); break;
  }
}

const Case damaged("damaged JPEGs: no coefficients, or those that libjpeg reads without a warning, whatever came before", [](Check& check) {
  std::mt19937 random(72);
  const auto tables = allTables();
  std::vector<std::unique_ptr<JpegReader>> readers;
  for (const Kernels* kernels : tables) readers.push_back(std::make_unique<JpegReader>(*kernels));
  int sound = 0;
  for (int round = 0; round < 150; ++round) {
    std::string description;
    const auto whole = makeJpeg(random, description);
    for (int k = 0; k < 40; ++k) {
      std::vector<uint8_t> jpeg = whole;
      for (unsigned times = 1 + random() % 2; times > 0; --times) damage(jpeg, random);
      Coefficients expected, got;
      const bool reads = readBareJpeg(jpeg, expected);
      const size_t t = random() % tables.size();
      JpegOptions options;
      options.maxPixels = kAnySize;
      Fault fault = readers[t]->open(jpeg.data(), jpeg.size(), options);
      if (!fault) fault = readers[t]->coefficients(got);
      // What libjpeg reads may still be none that is packed.
      const bool agree = fault ? !reads || fault.code == FaultCode::unsupported : reads && sameBlocks(got, expected);
      check.that(agree, "%s %s round %d.%d: %s, libjpeg %s", tables[t]->name, description.c_str(), round, k, fault.reason, reads ? "reads it" : "does not");
      sound += !fault;
    }
  }
  check.note("%d of 6000 sound", sound);
});

}  // namespace
