// The six sections of a strip as docs/formats/dct.md has them, to be made, damaged and put together again.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

struct Sections {
  std::vector<uint8_t> dc, hdr, mask, nibbles, escapes, wides;

  // Of blocks, made without pack().
  static Sections of(const std::vector<int16_t>& blocks);
  size_t values() const;  // as MASK says
  // Makes each section as long as the ones before it say: cut, or grown by telling bytes.
  void measure(std::mt19937& random);
  // Changes some bytes, then measures.
  void damage(std::mt19937& random);
  std::vector<uint8_t> joined() const;
};
