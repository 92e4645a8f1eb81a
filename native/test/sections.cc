#include "sections.h"

#include <algorithm>
#include <iterator>

namespace {

// Where scan position s lies in a block.
int placeOf(int s) {
  const int q = s >> 4, r = (s >> 2) & 3, c = s & 3;
  return (r + 4 * (q >> 1)) * 8 + c + 4 * (q & 1);
}

}  // namespace

Sections Sections::of(const std::vector<int16_t>& blocks) {
  Sections out;
  std::vector<uint8_t> values, wideAc;
  const auto putWide = [](std::vector<uint8_t>& to, int value) {
    to.push_back(uint8_t(value));
    to.push_back(uint8_t(value >> 8));
  };
  int before = 0;
  for (const int16_t* block = blocks.data(); block < blocks.data() + blocks.size(); block += 64) {
    const int difference = int16_t(uint16_t(block[0] - before));
    before = block[0];
    out.dc.push_back(difference >= -127 && difference <= 127 ? uint8_t(difference) : 0x80);
    if (out.dc.back() == 0x80) putWide(out.wides, difference);
    out.hdr.push_back(0);
    for (int g = 0; g < 8; ++g) {
      uint8_t mask = 0;
      for (int k = 0; k < 8; ++k) {
        const int value = 8 * g + k == 0 ? 0 : block[placeOf(8 * g + k)];
        if (value == 0) continue;
        mask = uint8_t(mask | 1 << k);
        const bool fits = value >= -8 && value <= 7, fitsByte = value >= -127 && value <= 127;
        values.push_back(fits ? uint8_t(value & 15) : 0);
        if (!fits) out.escapes.push_back(fitsByte ? uint8_t(value) : 0x80);
        if (!fitsByte) putWide(wideAc, value);
      }
      if (mask == 0) continue;
      out.hdr.back() = uint8_t(out.hdr.back() | 1 << g);
      out.mask.push_back(mask);
    }
  }
  for (size_t i = 0; i < values.size(); i += 2) out.nibbles.push_back(uint8_t(values[i] | (i + 1 < values.size() ? values[i + 1] << 4 : 0)));
  out.wides.insert(out.wides.end(), wideAc.begin(), wideAc.end());
  return out;
}

size_t Sections::values() const {
  size_t sum = 0;
  for (const uint8_t byte : mask) sum += size_t(__builtin_popcount(byte));
  return sum;
}

void Sections::measure(std::mt19937& random) {
  const auto fit = [&](std::vector<uint8_t>& section, size_t size) {
    const uint8_t telling[] = {0x80, 0x00, 0xff, 0x01, uint8_t(random()), uint8_t(random())};
    while (section.size() < size) section.push_back(telling[random() % std::size(telling)]);
    section.resize(size);
  };
  size_t masks = 0, zeros = 0;
  for (const uint8_t byte : hdr) masks += size_t(__builtin_popcount(byte));
  fit(mask, masks);
  const size_t count = values();
  fit(nibbles, (count + 1) / 2);
  for (size_t i = 0; i < count; ++i) zeros += (nibbles[i / 2] >> (i % 2 * 4) & 15) == 0;
  fit(escapes, zeros);
  fit(wides, 2 * size_t(std::count(dc.begin(), dc.end(), 0x80) + std::count(escapes.begin(), escapes.end(), 0x80)));
}

void Sections::damage(std::mt19937& random) {
  std::vector<uint8_t>* all[] = {&dc, &hdr, &mask, &nibbles, &escapes, &wides};
  const uint8_t telling[] = {0x80, 0x00, 0xff, 0x01, 0x7f};
  for (unsigned i = random() % 3; i <= 2; ++i) {
    std::vector<uint8_t>& section = *all[random() % 6];
    if (section.empty()) continue;
    const uint8_t to = telling[random() % std::size(telling)];
    uint8_t& byte = section[random() % section.size()];
    if (random() % 5 == 0) std::fill(section.begin(), section.end(), to);
    else byte = random() % 2 ? to : uint8_t(byte ^ 1 << random() % 8);
  }
  measure(random);
}

std::vector<uint8_t> Sections::joined() const {
  std::vector<uint8_t> all;
  for (const auto* section : {&dc, &hdr, &mask, &nibbles, &escapes, &wides}) all.insert(all.end(), section->begin(), section->end());
  return all;
}
