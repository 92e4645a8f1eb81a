// A packed picture as it lies in memory: header, tables and directory, checked. docs/formats/dct.md says what they mean.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "../src/fault.h"

namespace headrace {

inline constexpr uint8_t kPackedMagic[4] = {'H', 'D', 'C', 'T'};
inline constexpr uint8_t kPackedVersion = 1;
inline constexpr size_t kPackedHeaderBytes = 16;
enum class PackedForm : uint8_t { plain = 0, compact = 1 };

inline constexpr size_t kFormAt = 5, kFlagsAt = 12;
// Bits of the flags.
inline constexpr uint8_t kTableCountBits = 0x0f, kWideTables = 0x10, kWideDirectory = 0x20;

struct PackedPicture {
  struct Component {
    int width = 0, height = 0;           // samples
    int blocksWide = 0, blocksHigh = 0;  // also: strips
    int perMcu = 1;                      // its strips in one MCU row
  };

  int width = 0, height = 0, count = 0;
  int horizontal = 1, vertical = 1;      // how much larger component 0 is than the others
  PackedForm form = PackedForm::plain;
  Component components[3];
  int mcuRows = 0;
  uint8_t tableOf[3] = {};
  std::span<const uint8_t> tables;       // 64 entries each
  size_t tableEntryBytes = 1;
  std::span<const uint8_t> directory;    // the bytes of each MCU row
  size_t directoryEntryBytes = 2;
  std::span<const uint8_t> body;

  static bool isPacked(std::span<const uint8_t> sample);
  // Reads a sample whose bytes begin with kPackedMagic; everything it holds then lies inside the sample.
  static Fault parse(std::span<const uint8_t> sample, PackedPicture& out);

  size_t strips() const;
  // Bytes of an MCU row.
  uint32_t rowBytes(int mcuRow) const;
  // Table of component c, row by row.
  void table(int c, uint16_t (&out)[64]) const;
  // Calls visit(component, block row) for the strips of an MCU row, in their order.
  template <typename Visit>
  void stripsOfRow(int mcuRow, Visit visit) const {
    for (int c = 0; c < count; c++) {
      for (int i = 0; i < components[c].perMcu; i++) {
        const int y = mcuRow * components[c].perMcu + i;
        if (y < components[c].blocksHigh) visit(c, y);
      }
    }
  }
};

// The geometry of a picture: components, blocks and MCU rows. False where the sampling is not one that is packed.
bool setGeometry(PackedPicture& picture, int width, int height, int count, int horizontal, int vertical);

}  // namespace headrace
