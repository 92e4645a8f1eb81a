#include "grey_jpeg.h"

#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

namespace headrace {
namespace {

// Rows that libjpeg is given at once.
constexpr JDIMENSION kRows = 16;

struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void onError(j_common_ptr info) {
  auto* error = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, error->message);
  std::longjmp(error->jump, 1);
}
void onMessage(j_common_ptr, int) {}

// Writes into memory that is given, or into a vector that grows.
struct Destination {
  jpeg_destination_mgr base;
  std::vector<uint8_t>* grows;
  std::span<uint8_t> memory;
  bool full;

  static Destination& of(j_compress_ptr info) { return *reinterpret_cast<Destination*>(info->dest); }
  void room(size_t used) {
    base.next_output_byte = memory.data() + used;
    base.free_in_buffer = memory.size() - used;
  }
  size_t used() const { return memory.size() - base.free_in_buffer; }
  static void begin(j_compress_ptr info) { of(info).room(0); }
  // libjpeg calls it when all room is used, whatever free_in_buffer says.
  static boolean grow(j_compress_ptr info) {
    Destination& to = of(info);
    const size_t used = to.memory.size();
    if (to.grows == nullptr) {
      to.full = true;
      info->err->error_exit(reinterpret_cast<j_common_ptr>(info));
    }
    to.grows->resize(2 * used);
    to.memory = *to.grows;
    to.room(used);
    return TRUE;
  }
  static void end(j_compress_ptr) {}
};

Fault write(std::span<const uint8_t> pixels, int width, int height, int quality, Destination& destination) {
  jpeg_compress_struct info;
  ErrorManager error;
  info.err = jpeg_std_error(&error.base);
  error.base.error_exit = onError;
  error.base.emit_message = onMessage;
  // Nothing between here and the jump has a destructor that a jump would pass over.
  if (setjmp(error.jump) != 0) {
    jpeg_destroy_compress(&info);
    if (destination.full) return {};
    return Fault::of(FaultCode::limit, "libjpeg: %s", error.message);
  }
  jpeg_create_compress(&info);
  destination.base.init_destination = Destination::begin;
  destination.base.empty_output_buffer = Destination::grow;
  destination.base.term_destination = Destination::end;
  info.dest = &destination.base;
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 1;
  info.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW rows[kRows];
    JDIMENSION count = 0;
    for (; count < kRows && info.next_scanline + count < info.image_height; count++)
      rows[count] = const_cast<JSAMPLE*>(pixels.data() + static_cast<size_t>(info.next_scanline + count) * static_cast<size_t>(width));
    jpeg_write_scanlines(&info, rows, count);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return {};
}

}  // namespace

Fault writeGreyJpeg(std::span<const uint8_t> pixels, int width, int height, int quality, std::vector<uint8_t>& out) {
  out.resize(kLeastJpegRoom);
  Destination destination{{}, &out, out, false};
  const Fault fault = write(pixels, width, height, quality, destination);
  if (!fault) out.resize(destination.used());
  return fault;
}

Fault writeGreyJpegInto(std::span<const uint8_t> pixels, int width, int height, int quality, std::span<uint8_t> into, size_t& used) {
  Destination destination{{}, nullptr, into, false};
  used = 0;
  const Fault fault = write(pixels, width, height, quality, destination);
  if (!fault && !destination.full) used = destination.used();
  return fault;
}

}  // namespace headrace
