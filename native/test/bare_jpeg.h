// Coefficients of a JPEG by libjpeg alone, as a reference for our own reading of the Huffman code.
#pragma once
#include <cstdint>
#include <span>

#include "../dct/coefficients.h"

// False where libjpeg fails or warns; `out` is then what it was.
bool readBareJpeg(std::span<const uint8_t> jpeg, headrace::Coefficients& out);
