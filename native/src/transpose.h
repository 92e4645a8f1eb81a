// A matrix of small items, turned so that its rows become columns.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {

// Item (row, column) of `from`, whose rows are `fromStride` items apart, goes to place (column, row) of `to`, whose rows
// are `toStride` items apart. The two do not overlap.
void transposeItems(const uint8_t* from, size_t fromStride, uint8_t* to, size_t toStride, size_t rows, size_t columns,
                    size_t itemBytes);

}  // namespace headrace
