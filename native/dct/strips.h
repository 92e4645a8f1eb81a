// The strips of a packed picture, ready to be decoded: found in a plain sample, or made from a compact one.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "../kernels/kernels.h"
#include "../src/fault.h"
#include "packed_picture.h"
#include "rans.h"

namespace headrace {

class Strips {
 public:
  explicit Strips(const Kernels& kernels) : kernels_(kernels) {}

  // Those of MCU rows [firstRow, lastRow). `table` is needed for the compact form only. The picture's bytes must stay,
  // with kStripPadding readable bytes behind them.
  Fault find(const PackedPicture& picture, const RansTable* table, int firstRow, int lastRow);
  const PackedStrip& at(int component, int y) const { return strips_[rowsBefore_[component] + static_cast<size_t>(y)]; }

  size_t bytes() const;
  void release();

 private:
  // A row of MCUs of the compact form while it is decoded, phase by phase: what one phase brings tells how many symbols
  // the next one has.
  struct CodedRow {
    int row = 0;
    const uint8_t* end = nullptr;
    std::vector<uint8_t> contexts;
    uint8_t* contextsEnd = nullptr;
    void expect(uint8_t context, size_t count);
  };

  template <typename Visit>
  void eachStrip(const PackedPicture& picture, int mcuRow, Visit visit);
  Fault findRows(const PackedPicture& picture, int firstRow, int lastRow);
  Fault decodeRows(const PackedPicture& picture, const RansTable& table, int firstRow, int lastRow);
  bool decodePhase(const RansTable& table, RansStream* streams, size_t rows, uint8_t* (&symbols)[2]);

  const Kernels& kernels_;
  std::vector<PackedStrip> strips_;
  size_t rowsBefore_[3] = {};
  CodedRow rows_[2];
  std::unique_ptr<uint8_t[]> sections_;  // of compact rows, decoded; only what is written takes memory
  size_t sectionsSize_ = 0, sectionsUsed_ = 0;
};

// What the compact form codes of one MCU row of a plain picture: symbols by phase, and the WIDE sections.
inline constexpr size_t kRansPhases = 4;
struct RowSymbols {
  std::vector<RansSymbol> phases[kRansPhases];
  std::vector<uint8_t> wides;
};
void rowSymbols(const PackedPicture& picture, const Strips& strips, int mcuRow, RowSymbols& out);

}  // namespace headrace
