// libFuzzer's mutations of packed_fuzz's inputs. Bytes that are changed anywhere mostly end the decode where lengths are
// found; so a part of the mutations takes the sample apart, changes what one strip holds, and puts together a sample whose
// lengths, states and words follow from it.
#include <algorithm>
#include <random>

#include "../dct/compact.h"
#include "../dct/pack.h"
#include "../dct/packed_picture.h"
#include "../dct/strips.h"
#include "../test/sections.h"
#include "packed_input.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t maxSize);

namespace headrace {
namespace {

constexpr double kMostPixels = 1 << 14;  // of a picture that is taken apart

using Random = std::mt19937;

struct Parts {
  PackedPicture picture;
  std::vector<std::vector<std::vector<Sections>>> rows;  // MCU rows, components, strips
};

Sections sectionsOf(const PackedStrip& strip) {
  const auto take = [](const uint8_t* from, size_t count) { return std::vector<uint8_t>(from, from + count); };
  return {take(strip.dc, strip.blocks),
          take(strip.hdr, strip.blocks),
          take(strip.mask, strip.maskBytes),
          take(strip.nibbles, (size_t(strip.values) + 1) / 2),
          take(strip.escapes, strip.escapeCount),
          take(strip.wides, 2 * size_t(strip.wideCount))};
}

// Few frequencies of low order, as photographs have.
Sections randomSections(size_t blocks, Random& random) {
  Sections sections;
  for (size_t i = 0; i < blocks; i++) {
    sections.dc.push_back(static_cast<uint8_t>(random() % 16));
    sections.hdr.push_back(static_cast<uint8_t>(random() % 2 ? 0 : random() % 4 ? 1 : random()));
  }
  sections.measure(random);
  return sections;
}

// The strips of a sample; those of damaged rows, and of rows that its size does not have, are made up.
Parts takenApart(const PackedPicture& from, const PackedPicture& to, const RansTable& table, Random& random) {
  Parts parts{to, {}};
  Strips strips(kScalarKernels);
  for (int m = 0; m < to.mcuRows; m++) {
    const bool there = m < from.mcuRows && !strips.find(from, &table, m, m + 1);
    auto& components = parts.rows.emplace_back(3);
    to.stripsOfRow(m, [&](int c, int y) {
      const bool has = there && c < from.count && y < from.components[c].blocksHigh && y / from.components[c].perMcu == m;
      Sections sections = has ? sectionsOf(strips.at(c, y)) : Sections();
      const auto blocks = static_cast<size_t>(to.components[c].blocksWide);
      if (sections.hdr.size() != blocks) {
        const Sections more = randomSections(blocks, random);
        sections.dc.resize(blocks, 1);
        for (size_t i = sections.hdr.size(); i < blocks; i++) sections.hdr.push_back(more.hdr[i]);
        sections.hdr.resize(blocks);
        sections.measure(random);
      }
      components[static_cast<size_t>(c)].push_back(std::move(sections));
    });
  }
  return parts;
}

std::vector<uint8_t> putTogether(const Parts& parts, std::span<const uint8_t> headerAndTables, bool compacted, const RansTable& table) {
  std::vector<uint8_t> out(headerAndTables.begin(), headerAndTables.end()), body;
  std::vector<size_t> sizes;
  for (const auto& row : parts.rows) {
    const size_t before = body.size();
    for (const auto& component : row) {
      for (const Sections& sections : component) {
        const auto joined = sections.joined();
        body.insert(body.end(), joined.begin(), joined.end());
      }
    }
    sizes.push_back(body.size() - before);
  }
  out[kFormAt] = static_cast<uint8_t>(PackedForm::plain);
  appendRows(sizes, body, out);
  if (!compacted) return out;
  std::vector<uint8_t> plain(out);
  plain.resize(plain.size() + kStripPadding);
  if (compact({plain.data(), plain.size() - kStripPadding}, table, kScalarKernels, out)) return {};
  return out;
}

// Another size, sampling or form, or other sections in a strip or two. Empty where the sample cannot be taken apart.
std::vector<uint8_t> rebuilt(std::span<const uint8_t> sample, const RansTable& table, Random& random) {
  std::vector<uint8_t> padded(sample.begin(), sample.end());
  padded.resize(sample.size() + kStripPadding);
  PackedPicture from, to;
  if (PackedPicture::parse({padded.data(), sample.size()}, from) || static_cast<double>(from.width) * from.height > kMostPixels) return {};
  std::vector<uint8_t> header(padded.begin(), padded.begin() + (from.directory.data() - padded.data()));
  int width = from.width, height = from.height, count = from.count, horizontal = from.horizontal, vertical = from.vertical;
  if (random() % 8 == 0) {
    const int kinds[][3] = {{1, 1, 1}, {3, 1, 1}, {3, 2, 1}, {3, 1, 2}, {3, 2, 2}, {3, 4, 1}};
    const auto& kind = kinds[random() % std::size(kinds)];
    count = kind[0], horizontal = kind[1], vertical = kind[2];
    width = 1 + static_cast<int>(random() % 90);
    height = 1 + static_cast<int>(random() % 60);
  }
  if (!setGeometry(to, width, height, count, horizontal, vertical)) return {};
  header[6] = static_cast<uint8_t>(width), header[7] = static_cast<uint8_t>(width >> 8);
  header[8] = static_cast<uint8_t>(height), header[9] = static_cast<uint8_t>(height >> 8);
  header[10] = static_cast<uint8_t>(count);
  header[11] = static_cast<uint8_t>(horizontal << 4 | vertical);
  Parts parts = takenApart(from, to, table, random);
  if (random() % 16 == 0) {  // as much as a row can hold
    for (auto& strips : parts.rows[random() % parts.rows.size()]) {
      for (Sections& sections : strips) {
        std::fill(sections.hdr.begin(), sections.hdr.end(), 0xff);
        sections.mask.assign(8 * sections.hdr.size(), 0xff);
        sections.nibbles.assign(32 * sections.hdr.size(), 0);
        sections.measure(random);
      }
    }
  }
  for (unsigned i = random() % 3; i <= 2; i++) {
    auto& strips = parts.rows[random() % parts.rows.size()][random() % static_cast<size_t>(count)];
    if (strips.empty()) continue;
    Sections& sections = strips[random() % strips.size()];
    sections.damage(random);
  }
  const bool compacted = (from.form == PackedForm::compact) != (random() % 8 == 0);
  return putTogether(parts, header, compacted, table);
}

// Bytes of the directory moved from one row to another, so that the sum stays.
void moveRows(std::vector<uint8_t>& sample, Random& random) {
  PackedPicture picture;
  if (PackedPicture::parse(sample, picture) || picture.mcuRows < 2) return;
  const auto directory = static_cast<size_t>(picture.directory.data() - sample.data());
  uint8_t* entries = sample.data() + directory;
  const size_t bytes = picture.directoryEntryBytes;
  const size_t a = random() % static_cast<size_t>(picture.mcuRows), b = random() % static_cast<size_t>(picture.mcuRows);
  const auto change = static_cast<uint8_t>(random() % 2 ? 1 : random() % 70);
  if (entries[a * bytes] < change || entries[b * bytes] > 255 - change) return;
  entries[a * bytes] = static_cast<uint8_t>(entries[a * bytes] - change);
  entries[b * bytes] = static_cast<uint8_t>(entries[b * bytes] + change);
}

// A byte changed of the header, the tables, the directory, or the first bytes of a row: states and words where compact.
void mutateStart(std::vector<uint8_t>& sample, Random& random) {
  const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  const size_t reach = std::min<size_t>(sample.size(), random() % 2 ? 16 : 400);
  if (reach <= 4) return;
  uint8_t& byte = sample[4 + random() % (reach - 4)];
  byte = random() % 2 ? telling[random() % std::size(telling)] : static_cast<uint8_t>(byte ^ 1 << random() % 8);
}

}  // namespace
}  // namespace headrace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maxSize, unsigned int seed) {
  using namespace headrace;
  Random random(seed);
  PackedInput input;
  const unsigned kind = random() % 10;
  if (kind < 2 || maxSize < sizeof input.options || !input.read(data, size)) return LLVMFuzzerMutate(data, size, maxSize);
  if (kind == 2) {
    LLVMFuzzerMutate(data, sizeof input.options, sizeof input.options);
    return size;
  }
  RansTable table;
  if (!editedTable(input.options, table)) std::memset(input.options.edits, 0, sizeof input.options.edits), editedTable(input.options, table);
  std::vector<uint8_t> sample(input.sample.begin(), input.sample.end());
  if (kind == 3) mutateStart(sample, random);
  else if (kind == 4) moveRows(sample, random);
  else sample = rebuilt(input.sample, table, random);
  if (sample.empty() || sizeof input.options + sample.size() > maxSize) return LLVMFuzzerMutate(data, size, maxSize);
  std::memcpy(data, &input.options, sizeof input.options);
  std::copy(sample.begin(), sample.end(), data + sizeof input.options);
  return sizeof input.options + sample.size();
}
