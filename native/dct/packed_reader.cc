#include "packed_reader.h"

#include <algorithm>
#include <cstring>

#include "../kernels/scalar_dct.h"

namespace headrace {
namespace {

// Samples in front of a plane's rows: the repeated left edge, and loads that begin one sample early.
constexpr size_t kPlaneMargin = 32;

size_t roundUp(size_t value, size_t to) { return (value + to - 1) / to * to; }

template <typename T>
void atLeast(std::vector<T>& memory, size_t size) {
  if (memory.size() < size) memory.resize(size);
}

}  // namespace

Fault PackedReader::open(std::span<const uint8_t> sample, size_t readable, const RansTable* table, double maxPixels) {
  table_ = table;
  if (readable < kStripPadding) {
    padded_.assign(sample.begin(), sample.end());
    padded_.resize(sample.size() + kStripPadding);
    sample = {padded_.data(), sample.size()};
  }
  if (const Fault fault = PackedPicture::parse(sample, picture_)) return fault;
  const double pixels = static_cast<double>(width()) * height();
  if (pixels <= maxPixels) return {};
  return Fault::of(FaultCode::limit, "the header says %dx%d pixels, more than maxPixels (%.0f)", width(), height(), maxPixels);
}

// The samples of component c that pixels of `rect` depend on.
PixelRect PackedReader::samplesFor(int c, const PixelRect& rect) const {
  const auto range = [](int from, int length, int factor, int size, int& first, int& count) {
    const int margin = factor == 2 ? 1 : 0;  // fancy upsampling looks at a neighbour
    first = std::max(0, from / factor - margin);
    count = std::min(size, (from + length - 1) / factor + 1 + margin) - first;
  };
  const PackedPicture::Component& component = picture_.components[c];
  PixelRect samples;
  range(rect.x, rect.width, c == 0 ? 1 : picture_.horizontal, component.width, samples.x, samples.width);
  range(rect.y, rect.height, c == 0 ? 1 : picture_.vertical, component.height, samples.y, samples.height);
  return samples;
}

Fault PackedReader::decode(const PixelRect& rect) {
  const int mcuHeight = 8 * picture_.vertical;
  int firstRow = rect.y / mcuHeight, lastRow = (rect.y + rect.height - 1) / mcuHeight + 1;
  for (int c = 1; c < picture_.count; c++) {
    const PixelRect samples = samplesFor(c, rect);
    firstRow = std::min(firstRow, samples.y / 8);
    lastRow = std::max(lastRow, (samples.y + samples.height - 1) / 8 + 1);
  }
  if (const Fault fault = strips_.find(picture_, table_, firstRow, lastRow)) return fault;
  for (int c = 0; c < picture_.count; c++)
    if (const Fault fault = decodePlane(c, samplesFor(c, rect))) return fault;
  return {};
}

Fault PackedReader::decodePlane(int c, const PixelRect& samples) {
  Plane& plane = planes_[c];
  const int firstBlock = samples.x / 8, lastBlock = (samples.x + samples.width - 1) / 8 + 1;
  const int firstStrip = samples.y / 8, lastStrip = (samples.y + samples.height - 1) / 8 + 1;
  const size_t blocks = static_cast<size_t>(lastBlock - firstBlock);
  plane.stride = kPlaneMargin + roundUp(blocks, kBlockGroup) * 8 + kRowAlign;
  atLeast(plane.memory, plane.stride * static_cast<size_t>(lastStrip - firstStrip) * 8 + kPlaneMargin + 2 * kRowPadding);
  atLeast(values_, blocks * 64 + kStripPadding + kRowPadding);
  uint8_t* first = plane.memory.data() + kPlaneMargin;
  plane.origin = first - static_cast<ptrdiff_t>(firstStrip) * 8 * static_cast<ptrdiff_t>(plane.stride) - firstBlock * 8;
  uint16_t table[64];
  picture_.table(c, table);
  for (int y = firstStrip; y < lastStrip; y++) {
    uint8_t* out = first + static_cast<size_t>(y - firstStrip) * 8 * plane.stride;
    if (!kernels_.decodeStrip(strips_.at(c, y), static_cast<uint32_t>(firstBlock), static_cast<uint32_t>(lastBlock), table,
                              values_.data(), out, plane.stride))
      return Fault::of(FaultCode::corrupt, "packed picture: row %d of blocks of component %d has AC coefficients in the place of DC", y, c);
  }
  if (c == 0 || picture_.horizontal != 2) return {};
  // The edges' neighbours are the edges themselves; what a block holds beyond the picture is not.
  const int last = picture_.components[c].width - 1;
  for (int y = samples.y; y < samples.y + samples.height; y++) {
    uint8_t* row = plane.memory.data() + (plane.at(0, y) - plane.memory.data());
    if (samples.x == 0) row[-1] = row[0];
    if (samples.x + samples.width - 1 == last) row[last + 1] = row[last];
  }
  return {};
}

// The row of component c that lies nearest to picture row y, and the one that upsampling mixes into it.
std::array<int, 2> PackedReader::chromaRows(int y) const {
  const int row = y / picture_.vertical;
  if (picture_.vertical == 1) return {row, row};
  return {row, std::clamp(y % 2 == 0 ? row - 1 : row + 1, 0, picture_.components[1].height - 1)};
}

// Component c under row y of `rect`, as wide as the rectangle.
const uint8_t* PackedReader::chromaRow(int c, const PixelRect& rect, int y, uint8_t* upsampled) {
  const Plane& plane = planes_[c];
  const int horizontal = picture_.horizontal, vertical = picture_.vertical;
  const PackedPicture::Component& component = picture_.components[c];
  const auto [row, neighbour] = chromaRows(y);
  if (horizontal == 1) {
    if (vertical == 1) return plane.at(rect.x, y);
    kernels_.upsample1x2(plane.at(rect.x, row), plane.at(rect.x, neighbour), y % 2 == 0 ? 1 : 2, static_cast<size_t>(rect.width), upsampled);
    return upsampled;
  }
  const int from = rect.x / horizontal, count = (rect.x + rect.width - 1) / horizontal + 1 - from;
  if (horizontal == 4 || component.width <= 2) {
    const uint8_t* samples = plane.at(from, row);
    for (int i = 0; i < count; i++) std::memset(upsampled + i * horizontal, samples[i], static_cast<size_t>(horizontal));
  } else if (vertical == 1) {
    kernels_.upsample2x1(plane.at(from, row), static_cast<size_t>(count), upsampled);
  } else {
    kernels_.upsample2x2(plane.at(from, row), plane.at(from, neighbour), static_cast<size_t>(count), upsampled);
  }
  return upsampled + (rect.x - from * horizontal);
}

void PackedReader::rows(const PixelRect& rect, RowSink& sink) {
  const size_t stride = roundUp(static_cast<size_t>(rect.width) + 8, 2 * kRowAlign) + 2 * kRowAlign + kRowPadding;
  atLeast(line_, 6 * stride);
  const auto line = [&](size_t i) { return line_.data() + i * stride; };
  uint8_t* const rgb[2][3] = {{line(0), line(1), line(2)}, {line(3), line(4), line(5)}};
  const bool fused = picture_.count == 3 && picture_.horizontal == 2 && picture_.vertical == 2 && picture_.components[1].width > 2;
  for (int y = rect.y; y < rect.y + rect.height; y++) {
    const uint8_t* luma = planes_[0].at(rect.x, y);
    if (picture_.count == 1) {
      const uint8_t* const gray[3] = {luma, luma, luma};
      sink.planes(y, gray);
      continue;
    }
    if (fused) {
      // Two rows between the same two of chroma; alone at the upper and lower edge.
      const int from = rect.x / 2, count = (rect.x + rect.width - 1) / 2 + 1 - from, odd = rect.x % 2;
      const bool two = y % 2 == 1 && y + 1 < rect.y + rect.height;
      const auto [near, far] = chromaRows(y);
      kernels_.upsample2x2ToRgb({planes_[0].at(2 * from, y), planes_[0].at(2 * from, two ? y + 1 : y)},
                                {planes_[1].at(from, near), planes_[1].at(from, far)},
                                {planes_[2].at(from, near), planes_[2].at(from, far)}, static_cast<size_t>(count), rgb);
      for (int k = 0; k < (two ? 2 : 1); k++) {
        const uint8_t* const planes[3] = {rgb[k][0] + odd, rgb[k][1] + odd, rgb[k][2] + odd};
        sink.planes(y + k, planes);
      }
      y += two ? 1 : 0;
      continue;
    }
    const uint8_t* cb = chromaRow(1, rect, y, line(3));
    const uint8_t* cr = chromaRow(2, rect, y, line(4));
    kernels_.toRgb(luma, cb, cr, static_cast<size_t>(rect.width), rgb[0][0], rgb[0][1], rgb[0][2]);
    const uint8_t* const planes[3] = {rgb[0][0], rgb[0][1], rgb[0][2]};
    sink.planes(y, planes);
  }
}

Fault PackedReader::coefficients(Coefficients& out) {
  if (const Fault fault = strips_.find(picture_, table_, 0, picture_.mcuRows)) return fault;
  out = Coefficients();
  out.width = width();
  out.height = height();
  out.horizontal = picture_.horizontal;
  out.vertical = picture_.vertical;
  out.count = picture_.count;
  const size_t tables = picture_.tables.size() / (64 * picture_.tableEntryBytes);
  out.tables.resize(tables);
  for (int c = 0; c < picture_.count; c++) {
    const PackedPicture::Component& from = picture_.components[c];
    Coefficients::Component& to = out.components[c];
    to.blocksWide = from.blocksWide;
    to.blocksHigh = from.blocksHigh;
    to.table = picture_.tableOf[c];
    uint16_t table[64];
    picture_.table(c, table);
    std::copy(std::begin(table), std::end(table), out.tables[static_cast<size_t>(to.table)].begin());
    to.blocks.resize(static_cast<size_t>(to.blocksWide) * static_cast<size_t>(to.blocksHigh) * 64);
    for (int y = 0; y < to.blocksHigh; y++) {
      if (!scalar::unpackStrip(strips_.at(c, y), to.rowOfBlocks(y)))
        return Fault::of(FaultCode::corrupt, "packed picture: row %d of blocks of component %d has AC coefficients in the place of DC", y, c);
    }
  }
  return {};
}

size_t PackedReader::bytes() const {
  size_t sum = strips_.bytes() + padded_.capacity() + values_.capacity() + line_.capacity();
  for (const Plane& plane : planes_) sum += plane.memory.capacity();
  return sum;
}

void PackedReader::release() {
  strips_.release();
  for (Plane& plane : planes_) plane.memory = std::vector<uint8_t>();
  padded_ = std::vector<uint8_t>();
  values_ = std::vector<int8_t>();
  line_ = std::vector<uint8_t>();
}

}  // namespace headrace
