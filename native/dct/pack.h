// Coefficients -> a packed picture, plain form.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.h"
#include "../src/fault.h"
#include "coefficients.h"
#include "packed_picture.h"

namespace headrace {

// Adds directory and body, the bytes of all MCU rows, to a header and its tables.
void appendRows(std::span<const size_t> sizes, std::span<const uint8_t> body, std::vector<uint8_t>& out);

// Packs rows of blocks as they come.
class Packer final : public BlockSink {
 public:
  explicit Packer(const Kernels& kernels) : kernels_(kernels) {}
  void begin(const Coefficients& picture) override;
  void row(int c, int y, const int16_t* blocks) override;
  bool refuses() const { return bool(fault_); }
  // After the last row. `unsupported` where the coefficients are too large to be packed.
  Fault finish(std::vector<uint8_t>& out);

  size_t bytes() const;
  // Gives the memory back; the next picture takes new.
  void release();

 private:
  bool pack(const int16_t* blocks, size_t count, const QuantTable& table);
  void append(size_t count);

  const Kernels& kernels_;
  PackedPicture picture_;
  std::vector<QuantTable> tables_;
  Fault fault_;
  std::vector<size_t> rowSizes_;
  std::vector<uint8_t> body_;
  // The sections of one row, and where they end.
  std::vector<uint8_t> dc_, hdr_, mask_, values_, escapes_;
  std::vector<int16_t> wides_;
  PackedSections ends_{};
  size_t wideDc_ = 0;
};

// `unsupported` where the coefficients are too large to be packed.
Fault pack(const Coefficients& coefficients, const Kernels& kernels, std::vector<uint8_t>& out);

}  // namespace headrace
