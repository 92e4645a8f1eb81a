#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include <jpeglib.h>

#include "stored_images.h"

namespace rebuilt {

/**
 * What TurboJPEG's tjDecompress2 does with TJFLAG_FASTDCT, which both peers call: the fast integer DCT (or libjpeg's
 * default, the accurate one), fancy upsampling, the whole frame into packed RGB. The handle lives on, as their
 * thread-local handles do.
 */
class FullDecode {
 public:
  explicit FullDecode(J_DCT_METHOD method = JDCT_IFAST) : method_(method) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr common) {
      char reason[JMSG_LENGTH_MAX];
      common->err->format_message(common, reason);
      fail(reason);
    };
    errors_.output_message = [](j_common_ptr) {};
    jpeg_create_decompress(&info_);
  }
  FullDecode(const FullDecode&) = delete;
  FullDecode& operator=(const FullDecode&) = delete;
  ~FullDecode() { jpeg_destroy_decompress(&info_); }

  void operator()(std::span<const uint8_t> jpeg, int width, int height, uint8_t* rgb) {
    jpeg_mem_src(&info_, const_cast<unsigned char*>(jpeg.data()), jpeg.size());
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = JCS_RGB;
    info_.dct_method = method_;
    info_.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&info_);
    if (static_cast<int>(info_.output_width) != width || static_cast<int>(info_.output_height) != height)
      fail("the table and the picture disagree about its size");
    rows_.resize(info_.output_height);
    for (size_t y = 0; y < rows_.size(); y++) rows_[y] = rgb + y * width * 3;
    while (info_.output_scanline < info_.output_height)
      jpeg_read_scanlines(&info_, rows_.data() + info_.output_scanline, info_.output_height - info_.output_scanline);
    jpeg_finish_decompress(&info_);
  }

 private:
  const J_DCT_METHOD method_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  std::vector<JSAMPROW> rows_;
};

}  // namespace rebuilt
