#include "packed_picture.h"

#include <cstring>

namespace headrace {
namespace {

uint32_t little(const uint8_t* bytes, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; i++) value |= static_cast<uint32_t>(bytes[i]) << (8 * i);
  return value;
}

int divideUp(int value, int by) { return (value + by - 1) / by; }

bool isKnownSampling(int horizontal, int vertical) {
  return (horizontal <= 2 && vertical <= 2 && horizontal >= 1 && vertical >= 1) || (horizontal == 4 && vertical == 1);
}

Fault damaged(const char* what) { return Fault::of(FaultCode::corrupt, "packed picture: %s", what); }

}  // namespace

bool PackedPicture::isPacked(std::span<const uint8_t> sample) {
  return sample.size() >= sizeof kPackedMagic && std::memcmp(sample.data(), kPackedMagic, sizeof kPackedMagic) == 0;
}

bool setGeometry(PackedPicture& picture, int width, int height, int count, int horizontal, int vertical) {
  if (!isKnownSampling(horizontal, vertical) || (count != 1 && count != 3)) return false;
  if (count == 1 && (horizontal != 1 || vertical != 1)) return false;
  picture.width = width;
  picture.height = height;
  picture.count = count;
  picture.horizontal = horizontal;
  picture.vertical = vertical;
  picture.mcuRows = divideUp(height, 8 * vertical);
  for (int c = 0; c < count; c++) {
    PackedPicture::Component& component = picture.components[c];
    component.width = c == 0 ? width : divideUp(width, horizontal);
    component.height = c == 0 ? height : divideUp(height, vertical);
    component.blocksWide = divideUp(component.width, 8);
    component.blocksHigh = divideUp(component.height, 8);
    component.perMcu = c == 0 ? vertical : 1;
  }
  return true;
}

size_t PackedPicture::strips() const {
  size_t sum = 0;
  for (int c = 0; c < count; c++) sum += static_cast<size_t>(components[c].blocksHigh);
  return sum;
}

uint32_t PackedPicture::rowBytes(int mcuRow) const {
  return little(directory.data() + static_cast<size_t>(mcuRow) * directoryEntryBytes, directoryEntryBytes);
}

void PackedPicture::table(int c, uint16_t (&out)[64]) const {
  const uint8_t* entries = tables.data() + tableOf[c] * 64 * tableEntryBytes;
  for (size_t i = 0; i < 64; i++) out[i] = static_cast<uint16_t>(little(entries + i * tableEntryBytes, tableEntryBytes));
}

Fault PackedPicture::parse(std::span<const uint8_t> sample, PackedPicture& out) {
  if (!isPacked(sample)) return damaged("it does not begin with HDCT");
  if (sample.size() < kPackedHeaderBytes) return damaged("its header is cut short");
  const uint8_t* header = sample.data();
  if (header[4] != kPackedVersion)
    return Fault::of(FaultCode::unsupported, "packed picture: version %d, but %d is what is known", header[4], kPackedVersion);
  if (header[kFormAt] > static_cast<uint8_t>(PackedForm::compact)) return Fault::of(FaultCode::corrupt, "packed picture: form %d", header[kFormAt]);
  out.form = static_cast<PackedForm>(header[kFormAt]);
  const int width = static_cast<int>(little(header + 6, 2)), height = static_cast<int>(little(header + 8, 2));
  if (width == 0 || height == 0) return Fault::of(FaultCode::corrupt, "packed picture: %dx%d pixels", width, height);
  if (!setGeometry(out, width, height, header[10], header[11] >> 4, header[11] & 15))
    return Fault::of(FaultCode::corrupt, "packed picture: %d components of sampling 0x%02x", header[10], header[11]);
  const size_t tableCount = header[kFlagsAt] & kTableCountBits;
  if (tableCount < 1 || tableCount > 3 || (header[kFlagsAt] & ~(kTableCountBits | kWideTables | kWideDirectory)) != 0)
    return Fault::of(FaultCode::corrupt, "packed picture: table and directory flags 0x%02x", header[kFlagsAt]);
  for (int c = 0; c < 3; c++) {
    out.tableOf[c] = header[13] >> (2 * c) & 3;
    if (out.tableOf[c] >= tableCount) return Fault::of(FaultCode::corrupt, "packed picture: component %d has table %d of %zu", c, out.tableOf[c], tableCount);
  }
  if (header[13] >> 6 != 0 || header[14] != 0 || header[15] != 0) return damaged("reserved bits are set");
  out.tableEntryBytes = header[kFlagsAt] & kWideTables ? 2 : 1;
  out.directoryEntryBytes = header[kFlagsAt] & kWideDirectory ? 4 : 2;
  const size_t tableBytes = tableCount * 64 * out.tableEntryBytes;
  const size_t directoryBytes = static_cast<size_t>(out.mcuRows) * out.directoryEntryBytes;
  const auto rest = sample.subspan(kPackedHeaderBytes);
  if (rest.size() < tableBytes + directoryBytes) return damaged("its tables or its directory are cut short");
  out.tables = rest.first(tableBytes);
  out.directory = rest.subspan(tableBytes, directoryBytes);
  out.body = rest.subspan(tableBytes + directoryBytes);
  uint64_t rows = 0;
  for (int m = 0; m < out.mcuRows; m++) rows += out.rowBytes(m);
  if (rows != out.body.size())
    return Fault::of(FaultCode::corrupt, "packed picture: its directory says %.0f bytes, but it has %zu", static_cast<double>(rows), out.body.size());
  return {};
}

}  // namespace headrace
