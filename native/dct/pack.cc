#include "pack.h"

#include <algorithm>
#include <cstring>

namespace headrace {
namespace {

// What a block may write to a section whatever it brings.
constexpr size_t kMostOfBlock = 64;

template <typename T>
void atLeast(std::vector<T>& memory, size_t size) {
  if (memory.size() < size) memory.resize(size);
}

void putLittle(std::vector<uint8_t>& out, uint32_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

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

void Packer::begin(const Coefficients& picture) {
  fault_ = {};
  rowSizes_.clear();
  body_.clear();
  if (!setGeometry(picture_, picture.width, picture.height, picture.count, picture.horizontal, picture.vertical)) {
    fault_ = Fault::of(FaultCode::unsupported, "%d components of sampling %dx%d", picture.count, picture.horizontal, picture.vertical);
    return;
  }
  for (int c = 0; c < 3; c++) picture_.tableOf[c] = c < picture.count ? static_cast<uint8_t>(picture.components[c].table) : 0;
  tables_ = picture.tables;
}

void Packer::row(int c, int y, const int16_t* blocks) {
  if (fault_) return;
  if (c == 0 && y % picture_.vertical == 0) rowSizes_.push_back(0);
  const auto count = static_cast<size_t>(picture_.components[c].blocksWide);
  if (!pack(blocks, count, tables_[picture_.tableOf[c]])) {
    fault_ = Fault::of(FaultCode::unsupported, "%s", "coefficients too large for 16-bit arithmetic, or for any JPEG");
    return;
  }
  const size_t before = body_.size();
  append(count);
  rowSizes_.back() += body_.size() - before;
}

// The sections of a row. False where a coefficient is too large.
bool Packer::pack(const int16_t* blocks, size_t count, const QuantTable& table) {
  const size_t room = (count + 1) * kMostOfBlock;
  for (auto* section : {&mask_, &values_, &escapes_}) atLeast(*section, room);
  atLeast(dc_, count);
  atLeast(hdr_, count + kMostOfBlock);
  atLeast(wides_, count + room);
  wideDc_ = 0;
  int before = 0;
  for (size_t i = 0; i < count; i++) {
    const int dc = blocks[64 * i], difference = dc - before;
    before = dc;
    const bool wide = difference < -127 || difference > 127;
    dc_[i] = wide ? 0x80 : static_cast<uint8_t>(difference);
    if (wide) wides_[wideDc_++] = static_cast<int16_t>(difference);
  }
  ends_ = {hdr_.data(), mask_.data(), values_.data(), escapes_.data(), wides_.data() + wideDc_};
  return kernels_.packBlocks(blocks, count, table.data(), ends_);
}

void Packer::append(size_t count) {
  const auto values = static_cast<size_t>(ends_.values - values_.data()), nibbles = (values + 1) / 2;
  const auto mask = static_cast<size_t>(ends_.mask - mask_.data()), escapes = static_cast<size_t>(ends_.escapes - escapes_.data());
  const auto wides = static_cast<size_t>(ends_.wides - wides_.data());
  const size_t before = body_.size();
  body_.resize(before + 2 * count + mask + nibbles + escapes + 2 * wides);
  uint8_t* out = body_.data() + before;
  const auto put = [&](const uint8_t* section, size_t bytes) {
    std::memcpy(out, section, bytes);
    out += bytes;
  };
  put(dc_.data(), count);
  put(hdr_.data(), count);
  put(mask_.data(), mask);
  kernels_.joinNibbles(values_.data(), values, out);
  out += nibbles;
  put(escapes_.data(), escapes);
  for (size_t i = 0; i < wides; i++) {
    *out++ = static_cast<uint8_t>(wides_[i]);
    *out++ = static_cast<uint8_t>(static_cast<uint16_t>(wides_[i]) >> 8);
  }
}

Fault Packer::finish(std::vector<uint8_t>& out) {
  if (fault_) return fault_;
  out.reserve(kPackedHeaderBytes + 128 * tables_.size() + 4 * rowSizes_.size() + body_.size() + kStripPadding);
  beginPacked(picture_, tables_, out);
  appendRows(rowSizes_, body_, out);
  return {};
}

size_t Packer::bytes() const {
  return body_.capacity() + dc_.capacity() + hdr_.capacity() + mask_.capacity() + values_.capacity() + escapes_.capacity() +
         sizeof(int16_t) * wides_.capacity() + sizeof(size_t) * rowSizes_.capacity();
}

void Packer::release() {
  for (auto* memory : {&body_, &dc_, &hdr_, &mask_, &values_, &escapes_}) *memory = std::vector<uint8_t>();
  wides_ = std::vector<int16_t>();
  rowSizes_ = std::vector<size_t>();
}

Fault pack(const Coefficients& coefficients, const Kernels& kernels, std::vector<uint8_t>& out) {
  Packer packer(kernels);
  packer.begin(coefficients);
  for (int first = 0, m = 0; !packer.refuses() && first < coefficients.components[0].blocksHigh; first += coefficients.vertical, m++) {
    for (int y = first; y < first + coefficients.vertical && y < coefficients.components[0].blocksHigh; y++)
      packer.row(0, y, coefficients.components[0].rowOfBlocks(y));
    for (int c = 1; c < coefficients.count; c++) packer.row(c, m, coefficients.components[c].rowOfBlocks(m));
  }
  return packer.finish(out);
}

void appendRows(std::span<const size_t> sizes, std::span<const uint8_t> body, std::vector<uint8_t>& out) {
  const bool wide = std::any_of(sizes.begin(), sizes.end(), [](size_t size) { return size > UINT16_MAX; });
  out[kFlagsAt] = static_cast<uint8_t>((out[kFlagsAt] & ~kWideDirectory) | (wide ? kWideDirectory : 0));
  for (const size_t size : sizes) putLittle(out, static_cast<uint32_t>(size), wide ? 4 : 2);
  out.insert(out.end(), body.begin(), body.end());
}

}  // namespace headrace
