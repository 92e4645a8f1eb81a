#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rebuilt {

/** A rectangle of packed RGB rows `stride` bytes apart. */
struct View {
  const uint8_t* data;
  size_t stride;
  int width;
  int height;

  const uint8_t* row(int y) const { return data + static_cast<size_t>(y) * stride; }
};

using Ints4 = int32_t __attribute__((vector_size(16)));
using Floats4 = float __attribute__((vector_size(16)));

/** One RGB pixel and the value behind it, which nobody looks at. */
inline Ints4 load(const int32_t* at) {
  Ints4 values;
  std::memcpy(&values, at, sizeof values);
  return values;
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
