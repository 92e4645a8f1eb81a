#include "pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../kernels/scalar_dct.h"

namespace headrace {
namespace {

// Absolute sums of two columns of a block up to which the transform's 16-bit values cannot overflow: each pass-1 value is
// at most 4 sqrt(2) times its column's sum, and 5792 * 4 sqrt(2) < 2^15.
constexpr int kMaxColumnPair = 5792;
// What a JPEG of 8 bits can hold, or it could not be made again: Huffman codes end at 10 bits (11 for differences of DC,
// whatever blocks a scan has side by side).
constexpr int kMaxAc = 1023, kLeastDc = -1024, kMaxDc = 1023;

constexpr auto kPlaces = [] {
  std::array<uint8_t, 64> places{};
  for (int s = 0; s < 64; s++) places[static_cast<size_t>(s)] = static_cast<uint8_t>(scalar::placeOfScan(s));
  return places;
}();

void putLittle(std::vector<uint8_t>& out, uint32_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// The sections of one strip as they grow.
class StripWriter {
 public:
  // False where a coefficient is too large.
  bool write(const int16_t* blocks, size_t count, const QuantTable& table, const Kernels& kernels) {
    dc_.resize(count);
    hdr_.resize(count);
    mask_.clear();
    values_.clear();
    escapes_.clear();
    wideDc_.clear();
    wideAc_.clear();
    masks_.resize(count);
    kernels.scanMasks(blocks, count, masks_.data());
    int before = 0;
    for (size_t i = 0; i < count; i++, blocks += 64) {
      if (!writeDc(i, blocks[0] - before)) return false;
      before = blocks[0];
      if (!writeAc(i, masks_[i] & ~uint64_t(1), blocks, table)) return false;
    }
    return true;
  }

  void append(std::vector<uint8_t>& out) {
    for (const auto* section : {&dc_, &hdr_, &mask_}) out.insert(out.end(), section->begin(), section->end());
    values_.push_back(0);
    for (size_t i = 0; i + 1 < values_.size(); i += 2) out.push_back(static_cast<uint8_t>(values_[i] | values_[i + 1] << 4));
    out.insert(out.end(), escapes_.begin(), escapes_.end());
    for (const auto* section : {&wideDc_, &wideAc_})
      for (const int16_t wide : *section) putLittle(out, static_cast<uint16_t>(wide), 2);
  }

 private:
  bool writeDc(size_t i, int difference) {
    if (difference >= -127 && difference <= 127) {
      dc_[i] = static_cast<uint8_t>(difference);
      return true;
    }
    dc_[i] = 0x80;
    wideDc_.push_back(static_cast<int16_t>(difference));
    return true;
  }

  bool writeAc(size_t i, uint64_t mask, const int16_t* block, const QuantTable& table) {
    int64_t sums[4] = {int64_t(std::abs(block[0])) * table[0], 0, 0, 0};
    if (block[0] < kLeastDc || block[0] > kMaxDc) return false;
    uint8_t groups = 0;
    for (unsigned g = 0; g < 8; g++) {
      const auto bits = static_cast<uint8_t>(mask >> (8 * g));
      if (bits == 0) continue;
      groups |= static_cast<uint8_t>(1 << g);
      mask_.push_back(bits);
    }
    hdr_[i] = groups;
    for (; mask != 0; mask &= mask - 1) {
      const size_t place = kPlaces[static_cast<size_t>(__builtin_ctzll(mask))];
      const int value = block[place];
      if (std::abs(value) > kMaxAc) return false;
      sums[place & 3] += int64_t(std::abs(value)) * table[place];
      if (value >= -8 && value <= 7) {
        values_.push_back(static_cast<uint8_t>(value & 15));
        continue;
      }
      values_.push_back(0);
      if (value >= -127 && value <= 127) {
        escapes_.push_back(static_cast<uint8_t>(value));
        continue;
      }
      escapes_.push_back(0x80);
      wideAc_.push_back(static_cast<int16_t>(value));
    }
    return *std::max_element(sums, sums + 4) <= kMaxColumnPair;
  }

  std::vector<uint8_t> dc_, hdr_, mask_, values_, escapes_;
  std::vector<int16_t> wideDc_, wideAc_;
  std::vector<uint64_t> masks_;
};

void beginPacked(const PackedPicture& picture, const std::vector<QuantTable>& tables, std::vector<uint8_t>& out) {
  const bool wideTables = std::any_of(tables.begin(), tables.end(), [](const QuantTable& table) {
    return std::any_of(table.begin(), table.end(), [](uint16_t entry) { return entry > 255; });
  });
  out.assign(kPackedMagic, kPackedMagic + sizeof kPackedMagic);
  putLittle(out, kPackedVersion, 1);
  putLittle(out, static_cast<uint32_t>(picture.form), 1);
  putLittle(out, static_cast<uint32_t>(picture.width), 2);
  putLittle(out, static_cast<uint32_t>(picture.height), 2);
  putLittle(out, static_cast<uint32_t>(picture.count), 1);
  putLittle(out, static_cast<uint32_t>(picture.horizontal << 4 | picture.vertical), 1);
  putLittle(out, static_cast<uint32_t>(tables.size()) | (wideTables ? kWideTables : 0), 1);
  putLittle(out, static_cast<uint32_t>(picture.tableOf[0] | picture.tableOf[1] << 2 | picture.tableOf[2] << 4), 1);
  putLittle(out, 0, 2);
  for (const QuantTable& table : tables)
    for (const uint16_t entry : table) putLittle(out, entry, wideTables ? 2 : 1);
}

}  // namespace

Fault pack(const Coefficients& coefficients, const Kernels& kernels, std::vector<uint8_t>& out) {
  PackedPicture picture;
  if (!setGeometry(picture, coefficients.width, coefficients.height, coefficients.count, coefficients.horizontal, coefficients.vertical))
    return Fault::of(FaultCode::unsupported, "%d components of sampling %dx%d", coefficients.count, coefficients.horizontal, coefficients.vertical);
  for (int c = 0; c < picture.count; c++) picture.tableOf[c] = static_cast<uint8_t>(coefficients.components[c].table);

  StripWriter strip;
  std::vector<size_t> rowSizes;
  std::vector<uint8_t> body;
  bool fits = true;
  for (int m = 0; m < picture.mcuRows && fits; m++) {
    const size_t before = body.size();
    picture.stripsOfRow(m, [&](int c, int y) {
      const Coefficients::Component& component = coefficients.components[c];
      fits = fits && strip.write(component.rowOfBlocks(y), static_cast<size_t>(component.blocksWide),
                                 coefficients.tables[static_cast<size_t>(component.table)], kernels);
      if (fits) strip.append(body);
    });
    rowSizes.push_back(body.size() - before);
  }
  if (!fits) return Fault::of(FaultCode::unsupported, "%s", "coefficients too large for 16-bit arithmetic, or for any JPEG");

  beginPacked(picture, coefficients.tables, out);
  appendRows(rowSizes, body, out);
  return {};
}

void appendRows(std::span<const size_t> sizes, std::span<const uint8_t> body, std::vector<uint8_t>& out) {
  const bool wide = std::any_of(sizes.begin(), sizes.end(), [](size_t size) { return size > UINT16_MAX; });
  out[kFlagsAt] = static_cast<uint8_t>((out[kFlagsAt] & ~kWideDirectory) | (wide ? kWideDirectory : 0));
  for (const size_t size : sizes) putLittle(out, static_cast<uint32_t>(size), wide ? 4 : 2);
  out.insert(out.end(), body.begin(), body.end());
}

}  // namespace headrace
