// JPEG files to try: made by libjpeg from seeded pictures, and decoded by it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

struct Rgb {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // 3 bytes each
};

// One of all kinds that are packed: gray, 4:4:4, 4:2:2, 4:4:0, 4:2:0, 4:1:1; sizes from 1 x 1, often odd or one pixel
// wide; any quality; sequential or progressive, with or without restart markers; noise, edges, waves.
std::vector<uint8_t> makeJpeg(std::mt19937& random, std::string& description);

// libjpeg's default decode. False where it warns or fails.
bool decodeJpeg(const std::vector<uint8_t>& jpeg, Rgb& out);
