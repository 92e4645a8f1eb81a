// The Huffman code of a JPEG -> its coefficients, a row of MCUs at a time: of pictures that have one scan, as nearly all
// have, and much faster than libjpeg.
//
// It is strict. Whatever is not as an encoder writes it (codes that are none, values that no 8-bit picture has, bytes too
// many or too few, markers elsewhere) ends in `false`, and libjpeg has to say what it is. So a picture that comes out
// is one that libjpeg reads without a warning, with the same coefficients.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include "huffman_table.h"

namespace headrace {

class JpegScan {
 public:
  explicit JpegScan(const Kernels& kernels) : kernels_(kernels) {}

  // The picture whose header libjpeg has read, up to where the scan begins. False where it has to read that, too. The
  // bytes that `info` has must stay.
  bool begin(const jpeg_decompress_struct& info);
  // Decodes the next row of MCUs.
  bool decodeRow();
  // After the last one: whether the picture ends as it should.
  bool ended() const;
  // Row i of blocks of component c in that row: 64 coefficients each, row by row.
  const int16_t* blocks(int c, int i) const { return components_[c].blocks + static_cast<size_t>(i) * components_[c].rowLength; }

  size_t bytes() const { return segment_.capacity() + blocks_.capacity() * sizeof(int16_t); }
  void release();

 private:
  struct Component {
    int horizontal = 1, vertical = 1;  // blocks of an MCU
    int dcTable = 0, acTable = 0;
    int16_t* blocks = nullptr;
    size_t rowLength = 0;              // of a row of blocks, in coefficients
    int32_t dc = 0;                      // of the block before
  };
  bool takeSegment();
  bool segmentUsed() const;
  bool restart();

  const Kernels& kernels_;
  HuffmanTable dcTables_[NUM_HUFF_TBLS], acTables_[NUM_HUFF_TBLS];
  Component components_[3];
  int count_ = 0, mcus_ = 0;
  unsigned restartInterval_ = 0, untilRestart_ = 0;
  int marker_ = 0, restarts_ = 0;        // the marker behind the segment; how many have come
  const uint8_t *input_ = nullptr, *inputEnd_ = nullptr;
  std::vector<uint8_t> segment_;         // code up to a marker, without the zeros that follow 0xff, and kSegmentPadding
  size_t segmentBytes_ = 0;
  HuffmanBits bits_{};
  std::vector<int16_t> blocks_;          // of a row of MCUs
};

}  // namespace headrace
