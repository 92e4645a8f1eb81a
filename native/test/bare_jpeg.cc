#include "bare_jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

using namespace headrace;

namespace {

constexpr int kMostScans = 100;  // as JpegReader has it

struct Errors {
  jpeg_error_mgr base;
  jmp_buf jump;
};

void leave(j_common_ptr info) { std::longjmp(reinterpret_cast<Errors*>(info->err)->jump, 1); }
void leaveOnWarning(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}
void leaveOnManyScans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) leave(info);
}

}  // namespace

bool readBareJpeg(std::span<const uint8_t> jpeg, Coefficients& out) {
  jpeg_decompress_struct info;
  Errors errors;
  jpeg_progress_mgr progress{};
  progress.progress_monitor = leaveOnManyScans;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = leave;
  errors.base.emit_message = leaveOnWarning;
  jpeg_create_decompress(&info);
  info.progress = &progress;
  if (setjmp(errors.jump) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_mem_src(&info, jpeg.data(), static_cast<unsigned long>(jpeg.size()));
  jpeg_read_header(&info, TRUE);
  jvirt_barray_ptr* arrays = jpeg_read_coefficients(&info);
  out = Coefficients();
  out.width = static_cast<int>(info.image_width);
  out.height = static_cast<int>(info.image_height);
  out.count = info.num_components;
  if (out.count > 1) out.horizontal = info.comp_info[0].h_samp_factor, out.vertical = info.comp_info[0].v_samp_factor;
  for (int c = 0; c < out.count && c < 3; c++) {
    const jpeg_component_info& from = info.comp_info[c];
    Coefficients::Component& to = out.components[c];
    to.blocksWide = static_cast<int>(from.width_in_blocks);
    to.blocksHigh = static_cast<int>(from.height_in_blocks);
    to.blocks.resize(64 * static_cast<size_t>(to.blocksWide) * static_cast<size_t>(to.blocksHigh));
    for (int y = 0; y < to.blocksHigh; y++) {
      JBLOCKARRAY row = info.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&info), arrays[c], static_cast<JDIMENSION>(y), 1, FALSE);
      std::memcpy(to.rowOfBlocks(y), row[0], static_cast<size_t>(to.blocksWide) * sizeof(JBLOCK));
    }
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}
