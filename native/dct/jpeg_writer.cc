#include "jpeg_writer.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

namespace headrace {
namespace {

constexpr size_t kFirstBytes = 64 << 10;

struct Writer {
  explicit Writer(std::vector<uint8_t>& to) : out(to) {}
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_destination_mgr destination{};
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  std::vector<uint8_t>& out;
};

void onError(j_common_ptr info) {
  auto* writer = static_cast<Writer*>(info->client_data);
  info->err->format_message(info, writer->message);
  std::longjmp(writer->jump, 1);
}

// libjpeg would write its cautions (entries of more than 8 bits, for one) to stderr.
void onMessage(j_common_ptr, int) {}

// libjpeg's own jpeg_mem_dest has memory that nobody can free once an error has left it.
void growTo(j_compress_ptr info, size_t size) {
  auto* writer = static_cast<Writer*>(info->client_data);
  const size_t used = writer->out.size();
  writer->out.resize(size);
  writer->destination.next_output_byte = writer->out.data() + used;
  writer->destination.free_in_buffer = size - used;
}

void onBegin(j_compress_ptr info) { growTo(info, kFirstBytes); }

boolean onFull(j_compress_ptr info) {
  growTo(info, 2 * static_cast<Writer*>(info->client_data)->out.size());
  return TRUE;
}

void onEnd(j_compress_ptr info) {
  auto* writer = static_cast<Writer*>(info->client_data);
  writer->out.resize(writer->out.size() - writer->destination.free_in_buffer);
}

void describe(const Coefficients& coefficients, jpeg_compress_struct& info) {
  info.image_width = static_cast<JDIMENSION>(coefficients.width);
  info.image_height = static_cast<JDIMENSION>(coefficients.height);
  info.input_components = coefficients.count;
  info.in_color_space = coefficients.count == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
  jpeg_set_defaults(&info);
  info.optimize_coding = TRUE;
  for (int c = 0; c < coefficients.count; c++) {
    const Coefficients::Component& from = coefficients.components[c];
    jpeg_component_info& to = info.comp_info[c];
    to.h_samp_factor = c == 0 ? coefficients.horizontal : 1;
    to.v_samp_factor = c == 0 ? coefficients.vertical : 1;
    to.quant_tbl_no = from.table;
  }
  for (size_t t = 0; t < coefficients.tables.size(); t++) {
    JQUANT_TBL*& table = info.quant_tbl_ptrs[t];
    if (table == nullptr) table = jpeg_alloc_quant_table(reinterpret_cast<j_common_ptr>(&info));
    std::memcpy(table->quantval, coefficients.tables[t].data(), sizeof table->quantval);
    table->sent_table = FALSE;
  }
}

int roundUp(int value, int to) { return (value + to - 1) / to * to; }

}  // namespace

Fault writeJpeg(const Coefficients& coefficients, std::vector<uint8_t>& out) {
  out.clear();
  Writer writer(out);
  jpeg_compress_struct& info = writer.info;
  info.err = jpeg_std_error(&writer.errors);
  writer.errors.error_exit = onError;
  writer.errors.emit_message = onMessage;
  info.client_data = &writer;
  if (setjmp(writer.jump) != 0) {
    // Coefficients that no JPEG holds (pack() makes none of them), or memory that ran out.
    jpeg_destroy_compress(&info);
    out.clear();
    return Fault::of(FaultCode::corrupt, "%s", writer.message);
  }
  jpeg_create_compress(&info);
  writer.destination.init_destination = onBegin;
  writer.destination.empty_output_buffer = onFull;
  writer.destination.term_destination = onEnd;
  info.dest = &writer.destination;
  describe(coefficients, info);
  const auto common = reinterpret_cast<j_common_ptr>(&info);
  jvirt_barray_ptr arrays[3];
  for (int c = 0; c < coefficients.count; c++) {
    const Coefficients::Component& component = coefficients.components[c];
    const jpeg_component_info& to = info.comp_info[c];
    arrays[c] = info.mem->request_virt_barray(common, JPOOL_IMAGE, TRUE,
                                              static_cast<JDIMENSION>(roundUp(component.blocksWide, to.h_samp_factor)),
                                              static_cast<JDIMENSION>(roundUp(component.blocksHigh, to.v_samp_factor)),
                                              static_cast<JDIMENSION>(to.v_samp_factor));
  }
  jpeg_write_coefficients(&info, arrays);
  for (int c = 0; c < coefficients.count; c++) {
    const Coefficients::Component& component = coefficients.components[c];
    for (int y = 0; y < component.blocksHigh; y++) {
      JBLOCKARRAY row = info.mem->access_virt_barray(common, arrays[c], static_cast<JDIMENSION>(y), 1, TRUE);
      std::memcpy(row[0], component.rowOfBlocks(y), static_cast<size_t>(component.blocksWide) * sizeof(JBLOCK));
    }
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return {};
}

}  // namespace headrace
