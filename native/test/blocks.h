// Random blocks of coefficients and pictures of them.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "../dct/coefficients.h"

// What a block has beside its DC coefficient.
enum class Content {
  nothing,
  low,      // rows and columns 0..3 only
  upper,    // rows 0..3 only
  left,     // columns 0..3 only
  sparse,   // a few of -8..7 anywhere
  dense,    // all of -8..7, zeros among them
  escapes,  // many of -127..127
  wides,    // many of more than 127 in magnitude
};
inline constexpr int kContents = 8;

// The largest magnitudes of a picture that can be packed whatever its tables are: those of a JPEG.
inline constexpr int kMostAc = 1023, kLeastDc = -1024, kMostDc = 1023;

void fillBlock(int16_t* block, Content content, int mostAc, std::mt19937& random);

struct Sampling {
  int count, horizontal, vertical;
  std::string name() const { return count == 1 ? "gray" : std::to_string(horizontal) + std::to_string(vertical); }
};
inline constexpr Sampling kSamplings[] = {{1, 1, 1}, {3, 1, 1}, {3, 2, 1}, {3, 1, 2}, {3, 2, 2}, {3, 4, 1}};

// Coefficients of a JPEG: tables of ones where `coarse` is 0, else random ones up to `coarse`, with values that keep
// to what can be packed under them.
headrace::Coefficients randomPicture(int width, int height, const Sampling& sampling, int coarse, std::mt19937& random);
bool operator==(const headrace::Coefficients& a, const headrace::Coefficients& b);
