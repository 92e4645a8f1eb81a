// Planes of YUV 4:2:0: crops have the pixels of the whole, every table gives the scalar one's, and nothing behind the
// bytes that may be read is.
#include <memory>

#include "../src/yuv420_reader.h"
#include "samples.h"

using namespace headrace;

namespace {

struct Stored {
  Stored(int width, int height, size_t readable, std::mt19937& random)
      : width(width), height(height), size(yuv420Bytes(width, height)), readable(readable), memory(new uint8_t[size + readable]) {
    const auto bytes = randomBytes(size + readable, random);
    std::memcpy(memory.get(), bytes.data(), bytes.size());
  }
  Planes pixels(const Kernels& kernels, const PixelRect& rect, bool fancy) const {
    Yuv420Reader reader(kernels);
    Planes out(rect);
    if (!reader.open({memory.get(), size}, readable, width, height, fancy, kAnySize)) reader.rows(rect, out);
    return out;
  }
  int width, height;
  size_t size, readable;
  std::unique_ptr<uint8_t[]> memory;  // exactly as large as may be read
};

const Case crops("planes: any crop by any table is that part of the whole by the scalar one, with any memory behind", [](Check& check) {
  std::mt19937 random(21);
  for (int round = 0; round < 400; ++round) {
    const int width = 2 * (1 + int(random() % (round % 4 == 0 ? 4 : 120))), height = 2 * (1 + int(random() % 20));
    const Stored stored(width, height, round % 3 == 0 ? 0 : random() % 200, random);
    for (const bool fancy : {true, false}) {
      const Planes whole = stored.pixels(kScalarKernels, {0, 0, width, height}, fancy);
      check.that(whole.pixels.size() == size_t(3) * size_t(width) * size_t(height), "%dx%d", width, height);
      const int w = 1 + int(random() % unsigned(width)), h = 1 + int(random() % unsigned(height));
      const PixelRect rect{int(random() % unsigned(width - w + 1)), int(random() % unsigned(height - h + 1)), w, h};
      const auto wanted = whole.part(rect);
      for (const Kernels* kernels : allTables()) {
        check.that(stored.pixels(*kernels, rect, fancy).pixels == wanted, "%s %d,%d %dx%d of %dx%d, fancy %d", kernels->name, rect.x,
                   rect.y, w, h, width, height, int(fancy));
      }
    }
  }
});

}  // namespace
