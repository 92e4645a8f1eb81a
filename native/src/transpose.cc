#include "transpose.h"

#include <algorithm>
#include <cstring>

namespace headrace {
namespace {

// Rows that a strip of columns is turned in: the lines of `from` that it touches stay in the first cache while the strips
// beside it are turned, and each of its columns fills whole lines of `to`.
constexpr size_t kRows = 64;

template <typename Item>
Item load(const uint8_t* from) {
  Item item;
  std::memcpy(&item, from, sizeof item);
  return item;
}

template <typename Item>
void store(uint8_t* to, Item item) {
  std::memcpy(to, &item, sizeof item);
}

// Eight rows of eight bytes, a row a word: swaps quarters of halves of ever smaller squares.
void turnBytes(uint64_t (&word)[8]) {
  const auto swap = [&](int apart, int shift, uint64_t low) {
    for (int i = 0; i < 8; i++) {
      if (i & apart) continue;
      const uint64_t a = word[i], b = word[i + apart];
      word[i] = (a & low) | ((b & low) << shift);
      word[i + apart] = ((a >> shift) & low) | (b & ~low);
    }
  };
  swap(4, 32, 0x00000000ffffffffu);
  swap(2, 16, 0x0000ffff0000ffffu);
  swap(1, 8, 0x00ff00ff00ff00ffu);
}

// Four rows of four items of two bytes.
void turnPairs(uint64_t (&word)[4]) {
  const auto swap = [&](int apart, int shift, uint64_t low) {
    for (int i = 0; i < 4; i++) {
      if (i & apart) continue;
      const uint64_t a = word[i], b = word[i + apart];
      word[i] = (a & low) | ((b & low) << shift);
      word[i + apart] = ((a >> shift) & low) | (b & ~low);
    }
  };
  swap(2, 32, 0x00000000ffffffffu);
  swap(1, 16, 0x0000ffff0000ffffu);
}

// Squares of `side` items that are turned in registers; what is left at the edges item by item.
template <typename Item, size_t side, typename Turn>
void turned(const uint8_t* from, size_t fromStride, uint8_t* to, size_t toStride, size_t rows, size_t columns, Turn turn) {
  constexpr size_t bytes = sizeof(Item);
  const auto one = [&](size_t row, size_t column) {
    store(to + (column * toStride + row) * bytes, load<Item>(from + (row * fromStride + column) * bytes));
  };
  for (size_t first = 0; first < rows; first += kRows) {
    const size_t end = std::min(rows, first + kRows);
    const size_t whole = first + (end - first) / side * side;
    size_t column = 0;
    for (; column + side <= columns; column += side) {
      for (size_t row = first; row < whole; row += side) {
        uint64_t word[side];
        for (size_t i = 0; i < side; i++) word[i] = load<uint64_t>(from + ((row + i) * fromStride + column) * bytes);
        turn(word);
        for (size_t i = 0; i < side; i++) store(to + ((column + i) * toStride + row) * bytes, word[i]);
      }
      for (size_t row = whole; row < end; row++)
        for (size_t i = 0; i < side; i++) one(row, column + i);
    }
    for (; column < columns; column++)
      for (size_t row = first; row < end; row++) one(row, column);
  }
}

template <typename Item>
void each(const uint8_t* from, size_t fromStride, uint8_t* to, size_t toStride, size_t rows, size_t columns) {
  constexpr size_t bytes = sizeof(Item);
  constexpr size_t strip = 64 / bytes;
  for (size_t first = 0; first < rows; first += kRows) {
    const size_t end = std::min(rows, first + kRows);
    for (size_t left = 0; left < columns; left += strip)
      for (size_t column = left; column < std::min(columns, left + strip); column++)
        for (size_t row = first; row < end; row++)
          store(to + (column * toStride + row) * bytes, load<Item>(from + (row * fromStride + column) * bytes));
  }
}

}  // namespace

void transposeItems(const uint8_t* from, size_t fromStride, uint8_t* to, size_t toStride, size_t rows, size_t columns,
                    size_t itemBytes) {
  if (itemBytes == 1) return turned<uint8_t, 8>(from, fromStride, to, toStride, rows, columns, turnBytes);
  if (itemBytes == 2) return turned<uint16_t, 4>(from, fromStride, to, toStride, rows, columns, turnPairs);
  if (itemBytes == 4) return each<uint32_t>(from, fromStride, to, toStride, rows, columns);
  if (itemBytes == 8) return each<uint64_t>(from, fromStride, to, toStride, rows, columns);
  for (size_t row = 0; row < rows; row++)
    for (size_t column = 0; column < columns; column++)
      std::memcpy(to + (column * toStride + row) * itemBytes, from + (row * fromStride + column) * itemBytes, itemBytes);
}

}  // namespace headrace
