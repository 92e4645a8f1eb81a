// A Huffman table of a JPEG, made ready for the decoder.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

#include "../kernels/kernels.h"

namespace headrace {

class HuffmanTable {
 public:
  // False where the codes are not sound. A table that is the same as the one before costs a comparison.
  bool build(const JHUFF_TBL& table, bool dc);
  const HuffmanCodes& codes() const { return codes_; }

 private:
  HuffmanCodes codes_{};
  uint8_t counts_[16] = {}, symbols_[256] = {};
  bool dc_ = false, built_ = false;
};

}  // namespace headrace
