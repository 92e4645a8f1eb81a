#include "jpegs.h"

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

namespace {

struct Sampling {
  const char* name;
  int horizontal, vertical;  // 0: gray
};
constexpr Sampling kSamplings[] = {{"gray", 0, 0}, {"4:4:4", 1, 1}, {"4:2:2", 2, 1}, {"4:4:0", 1, 2}, {"4:2:0", 2, 2}, {"4:1:1", 4, 1}};

struct Kind {
  int width, height, quality, restart;
  bool progressive;
  Sampling sampling;
};

int upTo(std::mt19937& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

Kind drawKind(std::mt19937& random) {
  Kind kind;
  const int shape = upTo(random, 10);
  kind.width = shape == 0 ? 1 : 1 + upTo(random, shape == 1 ? 20 : 330);
  kind.height = shape == 2 ? 1 : 1 + upTo(random, shape == 3 ? 20 : 260);
  kind.quality = upTo(random, 4) == 0 ? 100 : 1 + upTo(random, 99);
  kind.restart = upTo(random, 3) == 0 ? 1 + upTo(random, 9) : 0;
  kind.progressive = upTo(random, 4) == 0;
  kind.sampling = kSamplings[upTo(random, 6)];
  return kind;
}

std::vector<uint8_t> drawPixels(std::mt19937& random, int width, int height) {
  std::vector<uint8_t> pixels;
  const int style = upTo(random, 4);
  const double fx = upTo(random, 100) / 300.0, fy = upTo(random, 100) / 300.0;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      for (int c = 0; c < 3; c++) {
        const double wave = 128 + 120 * std::sin(x * fx + y * fy * (c + 1));
        const double values[] = {double(upTo(random, 256)), ((x / 3 + y / 5 + c) & 1) * 255.0, wave, wave + upTo(random, 31) - 15};
        pixels.push_back(static_cast<uint8_t>(std::clamp(values[style], 0.0, 255.0)));
      }
    }
  }
  return pixels;
}

struct Errors {
  jpeg_error_mgr base;
  jmp_buf jump;
};

void leave(j_common_ptr info) { std::longjmp(reinterpret_cast<Errors*>(info->err)->jump, 1); }
void leaveOnWarning(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

}  // namespace

std::vector<uint8_t> makeJpeg(std::mt19937& random, std::string& description) {
  const Kind kind = drawKind(random);
  std::vector<uint8_t> pixels = drawPixels(random, kind.width, kind.height);
  char text[100];
  std::snprintf(text, sizeof text, "%dx%d %s quality %d%s restart %d", kind.width, kind.height, kind.sampling.name, kind.quality,
                kind.progressive ? " progressive" : "", kind.restart);
  description = text;

  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(kind.width);
  info.image_height = static_cast<JDIMENSION>(kind.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, kind.quality, TRUE);
  if (kind.sampling.horizontal == 0) {
    jpeg_set_colorspace(&info, JCS_GRAYSCALE);
  } else {
    jpeg_set_colorspace(&info, JCS_YCbCr);
    info.comp_info[0].h_samp_factor = kind.sampling.horizontal;
    info.comp_info[0].v_samp_factor = kind.sampling.vertical;
  }
  info.restart_interval = static_cast<unsigned>(kind.restart);
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = pixels.data() + static_cast<size_t>(info.next_scanline) * static_cast<size_t>(kind.width) * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<uint8_t> jpeg(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return jpeg;
}

bool decodeJpeg(const std::vector<uint8_t>& jpeg, Rgb& out) {
  jpeg_decompress_struct info;
  Errors errors;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = leave;
  errors.base.emit_message = leaveOnWarning;
  jpeg_create_decompress(&info);
  if (setjmp(errors.jump) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_mem_src(&info, jpeg.data(), static_cast<unsigned long>(jpeg.size()));
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  jpeg_start_decompress(&info);
  out.width = static_cast<int>(info.output_width);
  out.height = static_cast<int>(info.output_height);
  out.pixels.resize(static_cast<size_t>(out.width) * static_cast<size_t>(out.height) * 3);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = out.pixels.data() + static_cast<size_t>(info.output_scanline) * static_cast<size_t>(out.width) * 3;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}
