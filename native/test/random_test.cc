// Random content: every table makes the scalar one's bytes, and these are what they are said to be.
#include <cmath>

#include "../src/random_content.h"
#include "cases.h"

using namespace headrace;

namespace {

constexpr RandomType kTypes[] = {RandomType::bits,     RandomType::flags,   RandomType::float16,
                                 RandomType::bfloat16, RandomType::float32, RandomType::float64};

std::vector<uint8_t> filled(const Kernels& kernels, const RandomContent& content, uint64_t record, uint64_t offset, size_t size) {
  std::vector<uint8_t> out(size);
  content.fill(kernels, record, offset, out);
  return out;
}

template <typename T>
T elementOf(const std::vector<uint8_t>& bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

const Case words("random words equal scalar for 0..100 words from any place, and write nothing behind", [](Check& check) {
  std::mt19937 random(21);
  for (const Kernels* kernels : simdTables()) {
    for (size_t n = 0; n <= 100; ++n) {
      const uint32_t key[3] = {uint32_t(random()), uint32_t(random()), uint32_t(random())};
      const uint32_t first = n % 3 == 0 ? 0xfffffff0 : uint32_t(random());
      Guarded<uint8_t> expected(4 * n), out(4 * n);
      kScalarKernels.randomWords(key, first, n, expected.data());
      kernels->randomWords(key, first, n, out.data());
      check.that(expected.all == out.all && out.intactFrom(4 * n), "%s n=%zu", kernels->name, n);
    }
  }
});

const Case elements("elements equal scalar, every type and length", [](Check& check) {
  std::mt19937 random(22);
  for (const Kernels* kernels : simdTables()) {
    for (const RandomType type : kTypes) {
      for (size_t n = 0; n <= 400; n += 8) {
        const auto bytes = randomBytes(n, random);
        auto expected = bytes, out = bytes;
        kScalarKernels.randomElements(type, n, expected.data());
        kernels->randomElements(type, n, out.data());
        check.that(expected == out, "%s type %d n=%zu", kernels->name, int(type), n);
      }
    }
  }
});

const Case everyShort("all 65536 halves and bfloat16s are multiples of a power of two in [0, 1)", [](Check& check) {
  std::vector<uint8_t> all(2 * 65536);
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto value = uint16_t(i);
    std::memcpy(all.data() + 2 * i, &value, 2);
  }
  auto halves = all, brains = all;
  kScalarKernels.randomElements(RandomType::float16, all.size(), halves.data());
  kScalarKernels.randomElements(RandomType::bfloat16, all.size(), brains.data());
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto half = elementOf<uint16_t>(halves, i);
    const int exponent = half >> 10;
    const double value = exponent == 0 ? std::ldexp(half & 0x3ff, -24) : std::ldexp(1024 + (half & 0x3ff), exponent - 25);
    check.that(value == std::ldexp(i >> 5, -11), "half %u is %g", i, value);
    const uint32_t wide = uint32_t(elementOf<uint16_t>(brains, i)) << 16;
    float brain;
    std::memcpy(&brain, &wide, 4);
    check.that(double(brain) == std::ldexp(i >> 8, -8), "bfloat16 %u is %g", i, double(brain));
  }
});

const Case uniform("floats lie in [0, 1) and fill it evenly, flags are 0 and 1, bytes are all there equally often", [](Check& check) {
  const size_t size = 1 << 20;
  const auto singles = filled(kScalarKernels, {.type = RandomType::float32}, 0, 0, size);
  const auto doubles = filled(kScalarKernels, {.type = RandomType::float64}, 0, 0, size);
  double sum = 0;
  for (size_t i = 0; i < size / 4; ++i) {
    const auto value = elementOf<float>(singles, i);
    check.that(value >= 0 && value < 1, "float32 %zu is %g", i, double(value));
    sum += double(value);
  }
  check.that(std::abs(sum / (size / 4) - 0.5) < 0.003, "float32 means %g", sum / (size / 4));
  sum = 0;
  for (size_t i = 0; i < size / 8; ++i) {
    const auto value = elementOf<double>(doubles, i);
    check.that(value >= 0 && value < 1, "float64 %zu is %g", i, value);
    sum += value;
  }
  check.that(std::abs(sum / (size / 8) - 0.5) < 0.004, "float64 means %g", sum / (size / 8));
  double ones = 0;
  for (const uint8_t flag : filled(kScalarKernels, {.type = RandomType::flags}, 0, 0, size)) {
    check.that(flag <= 1, "a flag is %u", flag);
    ones += flag;
  }
  check.that(std::abs(ones / size - 0.5) < 0.003, "flags mean %g", ones / size);
  double counts[256] = {}, chi = 0;
  for (const uint8_t byte : filled(kScalarKernels, {}, 0, 0, size)) counts[byte]++;
  for (const double count : counts) chi += (count - size / 256.0) * (count - size / 256.0) / (size / 256.0);
  check.that(chi > 150 && chi < 400, "chi squared of bytes %g, of 255 degrees", chi);
});

const Case cutting("content is the same however it is cut, on every table", [](Check& check) {
  std::mt19937 random(23);
  const RandomContent contents[] = {{},
                                    {.seed = 7, .file = 3, .type = RandomType::float64},
                                    {.type = RandomType::float16, .period = 4104, .random = 1000},
                                    {.block = 4096, .period = 1024, .random = 512, .unique = 7, .first = 5, .recordBlocks = 50},
                                    {.block = 64, .unique = 1000000007, .first = 1ull << 40, .recordBlocks = 3125}};
  for (const Kernels* kernels : allTables()) {
    for (const RandomContent& content : contents) {
      const size_t size = 200000;
      const auto whole = filled(kScalarKernels, content, 2, 0, size);
      check.that(filled(*kernels, content, 2, 0, size) == whole, "%s: not scalar's", kernels->name);
      for (int i = 0; i < 200; ++i) {
        const size_t from = random() % size, length = random() % std::min<size_t>(size - from, i % 2 ? 40 : 70000);
        const auto part = filled(*kernels, content, 2, from, length);
        check.that(std::memcmp(part.data(), whole.data() + from, length) == 0, "%s: %zu bytes from %zu", kernels->name, length, from);
        check.that(content.difference(*kernels, 2, from, part) == length, "%s: %zu bytes from %zu differ", kernels->name, length, from);
      }
    }
  }
});

const Case differing("difference says where the first byte is that is another", [](Check& check) {
  std::mt19937 random(24);
  const RandomContent content{.seed = 1};
  for (int i = 0; i < 100; ++i) {
    auto bytes = filled(kScalarKernels, content, 9, 1000, 100000);
    const size_t at = random() % bytes.size();
    bytes[at] ^= 1;
    bytes.back() ^= 2;
    const size_t found = content.difference(kScalarKernels, 9, 1000, bytes);
    check.that(found == at, "found at %zu, not %zu", found, at);
  }
});

const Case naming("seed, file, record and block each make other bytes", [](Check& check) {
  std::vector<std::vector<uint8_t>> all;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    for (uint64_t file = 0; file < 3; ++file) {
      for (uint64_t record = 0; record < 3; ++record) {
        for (uint64_t block = 0; block < 3; ++block) {
          all.push_back(filled(kScalarKernels, {.seed = seed, .file = file}, record, block * kMostBlock, 8));
        }
      }
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) check.that(all[i] != all[j], "%zu is %zu", i, j);
  }
});

const Case repeating("of shared blocks there are as many as asked for, one after the other and again", [](Check& check) {
  const RandomContent content{.block = 4096, .unique = 6, .first = 4, .recordBlocks = 3};
  const auto block = [&](uint64_t number) {  // from the file's first block on
    return filled(kScalarKernels, content, number / 3, number % 3 * 4096, 4096);
  };
  for (uint64_t i = 0; i < 12; ++i) {
    for (uint64_t j = 0; j < i; ++j) check.that((block(i) == block(j)) == (i % 6 == j % 6), "blocks %zu and %zu", size_t(i), size_t(j));
  }
});

const Case zeroing("of every period what is not random is 0", [](Check& check) {
  const auto bytes = filled(kScalarKernels, {.period = 1000, .random = 400}, 0, 0, 100000);
  size_t zeros = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 1000 >= 400) check.that(bytes[i] == 0, "byte %zu is %u", i, bytes[i]);
    else zeros += bytes[i] == 0;
  }
  check.that(zeros > 50 && zeros < 300, "%zu of 40000 random bytes are 0", zeros);
});

}  // namespace
