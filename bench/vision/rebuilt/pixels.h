#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rebuilt {

/** A rectangle of packed RGB rows `stride` bytes apart. Four bytes behind its last pixel may be read. */
struct View {
  const uint8_t* data;
  size_t stride;
  int width;
  int height;

  const uint8_t* row(int y) const { return data + static_cast<size_t>(y) * stride; }
};

using Bytes4 = uint8_t __attribute__((vector_size(4)));
using Ints4 = int32_t __attribute__((vector_size(16)));
using Floats4 = float __attribute__((vector_size(16)));

/** One RGB pixel, and the byte behind it, which nobody looks at. */
inline Bytes4 pixel(const uint8_t* at) {
  Bytes4 bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

inline Floats4 load(const float* at) {
  Floats4 values;
  std::memcpy(&values, at, sizeof values);
  return values;
}

template <typename Vector, typename Element>
void store(Element* at, Vector values) {
  std::memcpy(at, &values, sizeof values);
}

inline void copy(const View& source, uint8_t* out) {
  const size_t bytes = static_cast<size_t>(source.width) * 3;
  for (int y = 0; y < source.height; y++) std::memcpy(out + y * bytes, source.row(y), bytes);
}

}  // namespace rebuilt
