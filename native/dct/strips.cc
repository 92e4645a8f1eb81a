#include "strips.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "../kernels/scalar_dct.h"

namespace headrace {
namespace {

// The contexts of the mask bytes that a HDR byte announces, in their order.
struct GroupContexts {
  uint8_t of[256][8] = {};
  constexpr GroupContexts() {
    for (int bits = 0; bits < 256; bits++) {
      for (int g = 0, next = 0; g < 8; g++)
        if (bits >> g & 1) of[bits][next++] = static_cast<uint8_t>(kMaskContext + g);
    }
  }
};
constexpr GroupContexts kGroups;

uint8_t contextOf(RansContext kind, int component) { return static_cast<uint8_t>(kind + (component > 0 ? 1 : 0)); }

// The most symbols that a block can bring, of one phase (64 escapes: damage may set DC's bit in a mask, which is found
// when the strip is decoded) and of all: DC, HDR, 8 masks, 32 bytes of nibbles.
constexpr size_t kMostOfPhase = 64, kMostOfBlock = 2 + 8 + 32 + kMostOfPhase;

size_t nibbleBytes(const PackedStrip& strip) { return (size_t(strip.values) + 1) / 2; }

uint32_t wideCount(const PackedStrip& strip) {
  return scalar::countWide(strip.dc, strip.blocks) + scalar::countWide(strip.escapes, strip.escapeCount);
}

Fault damagedRow(int row) { return Fault::of(FaultCode::corrupt, "packed picture: MCU row %d is damaged", row); }

// Finds the sections of a strip that begins at `next`, each by what the ones before say; next and left move behind it.
// False where they are longer than `left`.
bool measure(const uint8_t*& next, size_t& left, PackedStrip& strip, const Kernels& kernels) {
  const auto take = [&](size_t bytes, const uint8_t*& section) {
    if (bytes > left) return false;
    section = next;
    next += bytes;
    left -= bytes;
    return true;
  };
  if (!take(strip.blocks, strip.dc) || !take(strip.blocks, strip.hdr)) return false;
  strip.maskBytes = kernels.countBits(strip.hdr, strip.blocks);
  if (!take(strip.maskBytes, strip.mask)) return false;
  strip.values = kernels.countBits(strip.mask, strip.maskBytes);
  if (!take(nibbleBytes(strip), strip.nibbles)) return false;
  strip.escapeCount = kernels.countEscapes(strip.nibbles, strip.values);
  if (!take(strip.escapeCount, strip.escapes)) return false;
  strip.wideCount = wideCount(strip);
  return take(2 * size_t(strip.wideCount), strip.wides);
}

}  // namespace

Fault Strips::find(const PackedPicture& picture, const RansTable* table, int firstRow, int lastRow) {
  strips_.resize(picture.strips());
  for (int c = 1; c < picture.count; c++)
    rowsBefore_[c] = rowsBefore_[c - 1] + static_cast<size_t>(picture.components[c - 1].blocksHigh);
  if (picture.form == PackedForm::plain) return findRows(picture, firstRow, lastRow);
  if (table == nullptr) return Fault::of(FaultCode::unsupported, "%s", "packed picture: the compact form needs the table of its cache");
  return decodeRows(picture, *table, firstRow, lastRow);
}

template <typename Visit>
void Strips::eachStrip(const PackedPicture& picture, int mcuRow, Visit visit) {
  picture.stripsOfRow(mcuRow, [&](int c, int y) { visit(c, strips_[rowsBefore_[c] + static_cast<size_t>(y)]); });
}

Fault Strips::findRows(const PackedPicture& picture, int firstRow, int lastRow) {
  const uint8_t* next = picture.body.data();
  for (int m = 0; m < firstRow; m++) next += picture.rowBytes(m);
  for (int m = firstRow; m < lastRow; m++) {
    size_t left = picture.rowBytes(m);
    bool inside = true;
    eachStrip(picture, m, [&](int c, PackedStrip& strip) {
      if (!inside) return;
      strip.blocks = static_cast<uint32_t>(picture.components[c].blocksWide);
      inside = measure(next, left, strip, kernels_);
    });
    if (!inside || left != 0) return damagedRow(m);
  }
  return {};
}

void Strips::CodedRow::expect(uint8_t context, size_t count) {
  std::memset(contextsEnd, context, count);
  contextsEnd += count;
}

// Decodes as many symbols of each row as it has contexts; symbols[k] is where they are put.
bool Strips::decodePhase(const RansTable& table, RansStream* streams, size_t rows, uint8_t* (&symbols)[2]) {
  const uint8_t* contexts[2] = {};
  size_t counts[2] = {};
  for (size_t k = 0; k < rows; k++) {
    contexts[k] = rows_[k].contexts.data();
    counts[k] = static_cast<size_t>(rows_[k].contextsEnd - contexts[k]);
    symbols[k] = sections_.get() + sectionsUsed_;
    sectionsUsed_ += counts[k] + kRansPadding;
    rows_[k].contextsEnd = rows_[k].contexts.data();
  }
  return kernels_.ransSymbols(streams, rows, table.entries.data(), contexts, counts, symbols);
}

Fault Strips::decodeRows(const PackedPicture& picture, const RansTable& table, int firstRow, int lastRow) {
  size_t blocks = 0;
  for (int c = 0; c < picture.count; c++)
    blocks += static_cast<size_t>(picture.components[c].blocksWide) * static_cast<size_t>(picture.components[c].perMcu);
  const size_t wanted = static_cast<size_t>(lastRow - firstRow) * (blocks * kMostOfBlock + kRansPhases * kRansPadding) + kStripPadding;
  if (sectionsSize_ < wanted) {
    sections_.reset(new (std::nothrow) uint8_t[wanted]);
    sectionsSize_ = sections_ ? wanted : 0;
    if (!sections_) return Fault::of(FaultCode::limit, "packed picture: no memory for %zu bytes of sections", wanted);
  }
  sectionsUsed_ = 0;
  for (CodedRow& row : rows_)
    if (row.contexts.size() < blocks * kMostOfPhase + kRansPadding) row.contexts.resize(blocks * kMostOfPhase + kRansPadding);

  const uint8_t* next = picture.body.data();
  for (int m = 0; m < firstRow; m++) next += picture.rowBytes(m);
  for (int m = firstRow; m < lastRow; m += 2) {
    const size_t rows = lastRow - m > 1 ? 2 : 1;
    RansStream streams[2];
    uint8_t* symbols[2] = {};
    for (size_t k = 0; k < rows; k++) {
      CodedRow& row = rows_[k];
      row.row = m + static_cast<int>(k);
      if (picture.rowBytes(row.row) < kRansStatesBytes) return damagedRow(row.row);
      std::memcpy(streams[k].states, next, kRansStatesBytes);
      streams[k].words = next + kRansStatesBytes;
      next += picture.rowBytes(row.row);
      streams[k].end = row.end = next;
      row.contextsEnd = row.contexts.data();
      eachStrip(picture, row.row, [&](int c, PackedStrip& strip) {
        strip.blocks = static_cast<uint32_t>(picture.components[c].blocksWide);
        row.expect(contextOf(kHdrContext, c), strip.blocks);
        row.expect(contextOf(kDcContext, c), strip.blocks);
      });
    }
    if (!decodePhase(table, streams, rows, symbols)) return damagedRow(m);
    for (size_t k = 0; k < rows; k++) {
      CodedRow& row = rows_[k];
      eachStrip(picture, row.row, [&](int, PackedStrip& strip) {
        strip.hdr = symbols[k];
        strip.dc = symbols[k] + strip.blocks;
        symbols[k] += 2 * size_t(strip.blocks);
        const uint8_t* before = row.contextsEnd;
        for (uint32_t i = 0; i < strip.blocks; i++) {
          std::memcpy(row.contextsEnd, kGroups.of[strip.hdr[i]], 8);
          row.contextsEnd += scalar::bitsIn(strip.hdr[i]);
        }
        strip.maskBytes = static_cast<uint32_t>(row.contextsEnd - before);
      });
    }
    if (!decodePhase(table, streams, rows, symbols)) return damagedRow(m);
    for (size_t k = 0; k < rows; k++) {
      eachStrip(picture, rows_[k].row, [&](int c, PackedStrip& strip) {
        strip.mask = symbols[k];
        symbols[k] += strip.maskBytes;
        strip.values = kernels_.countBits(strip.mask, strip.maskBytes);
        rows_[k].expect(contextOf(kNibbleContext, c), nibbleBytes(strip));
      });
    }
    if (!decodePhase(table, streams, rows, symbols)) return damagedRow(m);
    for (size_t k = 0; k < rows; k++) {
      eachStrip(picture, rows_[k].row, [&](int c, PackedStrip& strip) {
        strip.nibbles = symbols[k];
        symbols[k] += nibbleBytes(strip);
        strip.escapeCount = kernels_.countEscapes(strip.nibbles, strip.values);
        rows_[k].expect(contextOf(kEscapeContext, c), strip.escapeCount);
      });
    }
    if (!decodePhase(table, streams, rows, symbols)) return damagedRow(m);
    for (size_t k = 0; k < rows; k++) {
      const auto wideBytes = static_cast<size_t>(rows_[k].end - streams[k].words);
      size_t wides = 0;
      eachStrip(picture, rows_[k].row, [&](int, PackedStrip& strip) {
        strip.escapes = symbols[k];
        symbols[k] += strip.escapeCount;
        strip.wideCount = wideCount(strip);
        strip.wides = streams[k].words + std::min(wides, wideBytes);
        wides += 2 * size_t(strip.wideCount);
      });
      const bool settled = std::all_of(std::begin(streams[k].states), std::end(streams[k].states), [](uint32_t state) { return state == kRansStart; });
      if (!settled || wides != wideBytes) return damagedRow(rows_[k].row);
    }
  }
  return {};
}

void rowSymbols(const PackedPicture& picture, const Strips& strips, int mcuRow, RowSymbols& out) {
  for (auto& phase : out.phases) phase.clear();
  out.wides.clear();
  const auto more = [](std::vector<RansSymbol>& phase, size_t count) {
    phase.resize(phase.size() + count);
    return phase.data() + phase.size() - count;
  };
  const auto put = [&](std::vector<RansSymbol>& phase, const uint8_t* bytes, size_t count, uint8_t context) {
    RansSymbol* to = more(phase, count);
    for (size_t i = 0; i < count; i++) to[i] = {bytes[i], context};
  };
  picture.stripsOfRow(mcuRow, [&](int c, int y) {
    const PackedStrip& strip = strips.at(c, y);
    put(out.phases[0], strip.hdr, strip.blocks, contextOf(kHdrContext, c));
    put(out.phases[0], strip.dc, strip.blocks, contextOf(kDcContext, c));
    const uint8_t* mask = strip.mask;
    RansSymbol* masks = more(out.phases[1], strip.maskBytes);
    for (uint32_t i = 0; i < strip.blocks; i++) {
      const uint8_t* contexts = kGroups.of[strip.hdr[i]];
      for (uint32_t left = scalar::bitsIn(strip.hdr[i]); left > 0; left--) *masks++ = {*mask++, *contexts++};
    }
    put(out.phases[2], strip.nibbles, nibbleBytes(strip), contextOf(kNibbleContext, c));
    put(out.phases[3], strip.escapes, strip.escapeCount, contextOf(kEscapeContext, c));
    out.wides.insert(out.wides.end(), strip.wides, strip.wides + 2 * size_t(strip.wideCount));
  });
}

size_t Strips::bytes() const {
  return strips_.capacity() * sizeof(PackedStrip) + sectionsSize_ + rows_[0].contexts.capacity() + rows_[1].contexts.capacity();
}

void Strips::release() {
  strips_ = std::vector<PackedStrip>();
  sections_.reset();
  sectionsSize_ = 0;
  for (CodedRow& row : rows_) row.contexts = std::vector<uint8_t>();
}

}  // namespace headrace
