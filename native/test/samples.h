// Packed samples for the tests: made from pictures, placed in memory of exactly their size, decoded.
#pragma once
#include <span>
#include <vector>

#include "../dct/rans.h"
#include "../src/fault.h"
#include "../src/row_sink.h"
#include "blocks.h"
#include "cases.h"

inline constexpr double kAnySize = 1e9;  // pixels

// Rows of a rectangle, each as its planes of R, G and B.
class Planes final : public headrace::RowSink {
 public:
  explicit Planes(const headrace::PixelRect& rect) : rect_(rect) {}
  uint8_t* target(int) override { return nullptr; }
  void row(int, const uint8_t*) override {}
  void planes(int y, const uint8_t* const (&rgb)[3]) override;
  std::vector<uint8_t> part(const headrace::PixelRect& inner) const;
  std::vector<uint8_t> pixels;

 private:
  const headrace::PixelRect rect_;
};

// A sample in memory of exactly its size and `readable` bytes of noise more.
struct Sample {
  Sample(const std::vector<uint8_t>& bytes, size_t readable, std::mt19937& random);
  std::span<const uint8_t> bytes() const { return {memory.data(), size}; }
  std::vector<uint8_t> memory;
  size_t size;
};

// What became of a sample that was decoded as a whole.
struct Whole {
  headrace::Fault fault;
  std::vector<uint8_t> pixels;
  bool operator==(const Whole& other) const;
};
Whole decode(const headrace::Kernels& kernels, const std::vector<uint8_t>& bytes, const headrace::RansTable* table, std::mt19937& random,
             size_t readable = headrace::kStripPadding);

// The plain form of a picture, the table that suits a plain sample (an empty one: the one of no symbols), the compact form.
std::vector<uint8_t> packed(const headrace::Coefficients& picture, Check& check);
headrace::RansTable tableFor(const std::vector<uint8_t>& plain);
std::vector<uint8_t> compacted(const std::vector<uint8_t>& plain, const headrace::RansTable& table, Check& check);
