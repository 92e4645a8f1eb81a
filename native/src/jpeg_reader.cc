#include "jpeg_reader.h"

#include <algorithm>
#include <cstring>

#include <jerror.h>

#include "../kernels/kernels.h"

namespace headrace {
namespace {

// Fancy upsampling reads one chroma sample to each side, which is at most two pixels away.
constexpr int kMargin = 2;
// libjpeg gives at most this many rows a call (the largest vertical sampling factor).
constexpr int kRowsPerCall = 4;
// A progressive file can have any number of scans over few bytes, each of them work over the whole picture. libjpeg's
// encoder makes at most 100 of a script, ordinary files have about ten.
constexpr int kMaxScans = 100;
// Progressive files keep all coefficients: two bytes a sample. Beyond this libjpeg refuses the picture.
constexpr long kMaxMemory = 1L << 30;
// jerror.h's message numbers for what libjpeg does not do, in place of what is damaged.
constexpr int kUnsupported[] = {JERR_BAD_PRECISION, JERR_CONVERSION_NOTIMPL, JERR_SOF_UNSUPPORTED, JERR_CCIR601_NOTIMPL,
                                JERR_FRACT_SAMPLE_NOTIMPL, JERR_COMPONENT_COUNT, JERR_NOTIMPL, JERR_NOT_COMPILED,
                                JERR_ARITH_NOTIMPL};
constexpr int kLimits[] = {JERR_OUT_OF_MEMORY, JERR_NO_BACKING_STORE, JERR_IMAGE_TOO_BIG, JERR_WIDTH_OVERFLOW};

template <size_t N>
bool isOneOf(int message, const int (&list)[N]) {
  return std::find(std::begin(list), std::end(list), message) != std::end(list);
}

}  // namespace

JpegReader::JpegReader(const Kernels& kernels) : scan_(kernels) {
  info_.err = jpeg_std_error(&error_.base);
  error_.base.error_exit = onError;
  error_.base.emit_message = onMessage;
  jpeg_create_decompress(&info_);
  info_.mem->max_memory_to_use = kMaxMemory;
  progress_.progress_monitor = onProgress;
  info_.progress = &progress_;
  info_.client_data = this;
  allocateSmall_ = info_.mem->alloc_small;
  info_.mem->alloc_small = allocateForPicture;
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&info_); }

// libjpeg keeps tables from one picture for the next, which may leave its own out. Here a picture must not depend on
// which one came before, so tables (and the data source, the only other thing) live as long as the picture.
void* JpegReader::allocateForPicture(j_common_ptr info, int, size_t bytes) {
  return static_cast<JpegReader*>(info->client_data)->allocateSmall_(info, JPOOL_IMAGE, bytes);
}

void JpegReader::forgetPicture() {
  jpeg_abort_decompress(&info_);
  info_.src = nullptr;
  std::fill(std::begin(info_.quant_tbl_ptrs), std::end(info_.quant_tbl_ptrs), nullptr);
  std::fill(std::begin(info_.dc_huff_tbl_ptrs), std::end(info_.dc_huff_tbl_ptrs), nullptr);
  std::fill(std::begin(info_.ac_huff_tbl_ptrs), std::end(info_.ac_huff_tbl_ptrs), nullptr);
}

void JpegReader::onError(j_common_ptr info) {
  auto* error = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, error->message);
  const int message = info->err->msg_code;
  error->code = isOneOf(message, kUnsupported) ? FaultCode::unsupported : isOneOf(message, kLimits) ? FaultCode::limit : FaultCode::corrupt;
  std::longjmp(error->jump, 1);
}

// Level -1 is a warning: the data is damaged and libjpeg goes on with a guess.
void JpegReader::onMessage(j_common_ptr info, int level) {
  if (level != -1) return;
  auto* error = reinterpret_cast<ErrorManager*>(info->err);
  info->err->num_warnings++;
  if (error->tolerant) return;
  info->err->format_message(info, error->message);
  std::longjmp(error->jump, 1);
}

void JpegReader::onProgress(j_common_ptr info) {
  if (!info->is_decompressor) return;
  auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (decompress->input_scan_number <= kMaxScans) return;
  auto* error = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(error->message, sizeof error->message, "more than %d scans", kMaxScans);
  error->code = FaultCode::limit;
  std::longjmp(error->jump, 1);
}

Fault JpegReader::fault() const { return Fault::of(error_.code, "%s", error_.message); }

Fault JpegReader::open(const uint8_t* data, size_t size, const JpegOptions& options) {
  options_ = options;
  error_.tolerant = options.tolerant;
  error_.code = FaultCode::corrupt;
  info_.err->num_warnings = 0;
  forgetPicture();
  if (size < 2 || data[0] != 0xff || data[1] != 0xd8)
    return Fault::of(FaultCode::unsupported, "not a JPEG: %zu bytes that start with 0x%02x 0x%02x", size, size > 0 ? data[0] : 0,
                     size > 1 ? data[1] : 0);
  if (setjmp(error_.jump) != 0) {
    jpeg_abort_decompress(&info_);
    return fault();
  }
  jpeg_mem_src(&info_, data, static_cast<unsigned long>(size));
  if (jpeg_read_header(&info_, TRUE) != JPEG_HEADER_OK) return Fault::of(FaultCode::corrupt, "%s", "no picture in the file");
  const double pixels = static_cast<double>(info_.image_width) * info_.image_height;
  if (!(pixels <= options.maxPixels))
    return Fault::of(FaultCode::limit, "the header says %ux%u pixels, more than maxPixels (%.0f)", info_.image_width,
                     info_.image_height, options.maxPixels);
  return {};
}

// Gray, YCbCr and RGB come out of libjpeg as RGB; CMYK and YCCK as CMYK, converted below.
bool JpegReader::chooseColour() {
  switch (info_.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_YCbCr:
    case JCS_RGB: info_.out_color_space = JCS_RGB; return true;
    case JCS_CMYK:
    case JCS_YCCK: info_.out_color_space = JCS_CMYK; return true;
    default: return false;
  }
}

// Whether libjpeg smooths over what a progressive file leaves out of its low frequencies.
bool JpegReader::smooths() const {
  constexpr int kLowFrequencies = 10;
  if (info_.coef_bits == nullptr || !info_.progressive_mode) return false;
  for (int c = 0; c < info_.num_components; c++)
    if (std::any_of(info_.coef_bits[c], info_.coef_bits[c] + kLowFrequencies, [](int bits) { return bits != 0; })) return true;
  return false;
}

void JpegReader::useRows(size_t rowBytes) {
  const size_t wanted = kRowsPerCall * rowBytes;
  if (rows_.size() < wanted) rows_.resize(wanted);
}

// As Pillow does: the file's values taken as inverted (Adobe's habit), then nk - c * nk / 255 rounded.
void JpegReader::toRgb(const uint8_t* cmyk, size_t pixels, uint8_t* rgb) const {
  for (size_t i = 0; i < pixels; i++, cmyk += 4, rgb += 3) {
    const int light = cmyk[3];
    for (int c = 0; c < 3; c++) {
      const int product = (255 - cmyk[c]) * light + 128;
      rgb[c] = static_cast<uint8_t>(light - ((product + (product >> 8)) >> 8));
    }
  }
}

Fault JpegReader::decode(const PixelRect& rect, RowSink& sink) {
  // setjmp's rule: what changes after it and is read after a jump must be volatile; nothing here is.
  if (setjmp(error_.jump) != 0) {
    jpeg_abort_decompress(&info_);
    return fault();
  }
  if (!chooseColour()) {
    jpeg_abort_decompress(&info_);
    return Fault::of(FaultCode::unsupported, "colour space %d with %d components", static_cast<int>(info_.jpeg_color_space),
                     info_.num_components);
  }
  info_.dct_method = options_.fastDct ? JDCT_IFAST : JDCT_ISLOW;
  info_.do_fancy_upsampling = options_.fancyUpsampling ? TRUE : FALSE;
  jpeg_start_decompress(&info_);

  JDIMENSION left = 0, decoded = info_.output_width;
  // Smoothing would take the edge of the crop for that of the picture.
  if (!smooths() && (rect.x > kMargin || rect.x + rect.width + kMargin < width())) {
    left = static_cast<JDIMENSION>(std::max(0, rect.x - kMargin));
    decoded = static_cast<JDIMENSION>(std::min(width(), rect.x + rect.width + kMargin)) - left;
    jpeg_crop_scanline(&info_, &left, &decoded);
  }
  const bool whole = rect.x == 0 && rect.width == width() && info_.out_color_components == 3;
  const bool cmyk = info_.out_color_components == 4;
  const size_t pixelBytes = static_cast<size_t>(info_.out_color_components);
  const size_t rowBytes = decoded * pixelBytes + (cmyk ? 3 * static_cast<size_t>(rect.width) : 0) + kRowPadding;
  useRows(rowBytes);

  const int top = std::max(0, rect.y);
  if (top > 0) jpeg_skip_scanlines(&info_, static_cast<JDIMENSION>(top));
  const int end = rect.y + rect.height;
  const int perCall = std::min<int>(kRowsPerCall, std::max(1, info_.rec_outbuf_height));
  for (int y = top; y < end;) {
    JSAMPROW lines[kRowsPerCall];
    const int wanted = std::min(perCall, end - y);
    for (int i = 0; i < wanted; i++) {
      uint8_t* target = whole ? sink.target(y + i) : nullptr;
      lines[i] = target != nullptr ? target : rows_.data() + static_cast<size_t>(i) * rowBytes;
    }
    const int got = static_cast<int>(jpeg_read_scanlines(&info_, lines, static_cast<JDIMENSION>(wanted)));
    if (got <= 0) {
      jpeg_abort_decompress(&info_);
      return Fault::of(FaultCode::corrupt, "no row %d", y);
    }
    for (int i = 0; i < got; i++) {
      const uint8_t* pixels = lines[i] + (static_cast<size_t>(rect.x) - left) * pixelBytes;
      if (cmyk) {
        uint8_t* rgb = lines[i] + decoded * pixelBytes;
        toRgb(pixels, static_cast<size_t>(rect.width), rgb);
        pixels = rgb;
      }
      sink.row(y + i, pixels);
    }
    y += got;
  }
  // The last row was asked for: reading on to the end marker finds a file that was cut there.
  if (end == height())
    jpeg_finish_decompress(&info_);
  else
    jpeg_abort_decompress(&info_);
  return {};
}

bool JpegReader::isYuv420() const {
  const auto factors = [&](int c, int h, int v) { return info_.comp_info[c].h_samp_factor == h && info_.comp_info[c].v_samp_factor == v; };
  if (info_.num_components == 1) return info_.jpeg_color_space == JCS_GRAYSCALE;
  return info_.num_components == 3 && info_.jpeg_color_space == JCS_YCbCr && factors(0, 2, 2) && factors(1, 1, 1) && factors(2, 1, 1);
}

Fault JpegReader::samples(const SamplePlane (&planes)[3]) {
  if (setjmp(error_.jump) != 0) {
    jpeg_abort_decompress(&info_);
    return fault();
  }
  info_.raw_data_out = TRUE;
  info_.dct_method = options_.fastDct ? JDCT_IFAST : JDCT_ISLOW;
  jpeg_start_decompress(&info_);
  // A call gives a row of blocks, or of MCUs, of every component; both sides are filled up to whole blocks.
  constexpr int kMaxRows = 4 * DCTSIZE;
  size_t strides[3] = {}, wanted = 0;
  for (int c = 0; c < info_.num_components; c++) {
    const jpeg_component_info& component = info_.comp_info[c];
    strides[c] = (component.width_in_blocks + static_cast<size_t>(component.h_samp_factor)) * DCTSIZE;
    wanted += strides[c] * static_cast<size_t>(component.v_samp_factor) * DCTSIZE;
  }
  if (rows_.size() < wanted) rows_.resize(wanted);
  JSAMPROW rows[3][kMaxRows];
  JSAMPARRAY given[3] = {rows[0], rows[1], rows[2]};
  uint8_t* next = rows_.data();
  for (int c = 0; c < info_.num_components; c++)
    for (int i = 0; i < info_.comp_info[c].v_samp_factor * DCTSIZE; i++, next += strides[c]) rows[c][i] = next;
  const auto perCall = static_cast<JDIMENSION>(info_.max_v_samp_factor * DCTSIZE);
  for (int call = 0; info_.output_scanline < info_.output_height; call++) {
    if (jpeg_read_raw_data(&info_, given, perCall) == 0) {
      jpeg_abort_decompress(&info_);
      return Fault::of(FaultCode::corrupt, "no row %u", info_.output_scanline);
    }
    for (int c = 0; c < info_.num_components; c++) {
      const SamplePlane& plane = planes[c];
      const int count = info_.comp_info[c].v_samp_factor * DCTSIZE, first = call * count;
      for (int i = 0; i < count && first + i < plane.height; i++)
        std::memcpy(plane.samples + static_cast<size_t>(first + i) * plane.stride, rows[c][i], static_cast<size_t>(plane.width));
    }
  }
  jpeg_finish_decompress(&info_);
  return {};
}

// Why the picture cannot be packed, as far as its header tells; null: it can.
const char* JpegReader::whyNotPacked() const {
  if (info_.data_precision != 8) return "more than 8 bits a sample";
  if (info_.arith_code) return "arithmetic coding";
  if (info_.num_components == 1) return info_.jpeg_color_space == JCS_GRAYSCALE ? nullptr : "one component that is not gray";
  if (info_.num_components != 3 || info_.jpeg_color_space != JCS_YCbCr) return "components that are not Y, Cb, Cr";
  const jpeg_component_info* of = info_.comp_info;
  const bool known = (of[0].h_samp_factor <= 2 && of[0].v_samp_factor <= 2) || (of[0].h_samp_factor == 4 && of[0].v_samp_factor == 1);
  const bool plain = of[1].h_samp_factor == 1 && of[1].v_samp_factor == 1 && of[2].h_samp_factor == 1 && of[2].v_samp_factor == 1;
  return known && plain ? nullptr : "unusual sampling";
}

// What the header says of the picture; its blocks are left out. False where a component has no table.
bool JpegReader::describe() {
  Coefficients& out = picture_ = Coefficients();
  const bool gray = info_.num_components == 1;
  out.width = width();
  out.height = height();
  out.count = info_.num_components;
  out.horizontal = gray ? 1 : info_.comp_info[0].h_samp_factor;
  out.vertical = gray ? 1 : info_.comp_info[0].v_samp_factor;
  for (int c = 0; c < out.count; c++) {
    const jpeg_component_info& from = info_.comp_info[c];
    // libjpeg looks at the number only when it begins a scan itself.
    const bool numbered = from.quant_tbl_no >= 0 && from.quant_tbl_no < NUM_QUANT_TBLS;
    const JQUANT_TBL* quantisation = from.quant_table != nullptr ? from.quant_table : numbered ? info_.quant_tbl_ptrs[from.quant_tbl_no] : nullptr;
    if (quantisation == nullptr) return false;
    QuantTable table;
    std::copy(std::begin(quantisation->quantval), std::end(quantisation->quantval), table.begin());
    const auto same = std::find(out.tables.begin(), out.tables.end(), table);
    Coefficients::Component& to = out.components[c];
    to.table = static_cast<int>(same - out.tables.begin());
    if (same == out.tables.end()) out.tables.push_back(table);
    to.blocksWide = static_cast<int>(from.width_in_blocks);
    to.blocksHigh = static_cast<int>(from.height_in_blocks);
  }
  return true;
}

// By our own decoder. False where the picture is not for it.
bool JpegReader::readScan(BlockSink& sink) {
  if (!scan_.begin(info_) || !describe()) return false;
  const Coefficients& picture = picture_;
  sink.begin(picture);
  for (int first = 0, mcuRow = 0; first < picture.components[0].blocksHigh; first += picture.vertical, mcuRow++) {
    if (!scan_.decodeRow()) return false;
    for (int i = 0; i < picture.vertical && first + i < picture.components[0].blocksHigh; i++) sink.row(0, first + i, scan_.blocks(0, i));
    for (int c = 1; c < picture.count; c++) sink.row(c, mcuRow, scan_.blocks(c, 0));
  }
  return scan_.ended();
}

Fault JpegReader::coefficients(BlockSink& sink) {
  const auto refuse = [&](const char* why) {
    jpeg_abort_decompress(&info_);
    return Fault::of(FaultCode::unsupported, "%s", why);
  };
  if (const char* why = whyNotPacked()) return refuse(why);
  if (readScan(sink)) {
    jpeg_abort_decompress(&info_);
    return {};
  }
  if (setjmp(error_.jump) != 0) {
    jpeg_abort_decompress(&info_);
    return fault();
  }
  jvirt_barray_ptr* arrays = jpeg_read_coefficients(&info_);
  if (smooths()) return refuse("a progressive file that leaves coefficients out");
  for (int c = 0; c < info_.num_components; c++)
    if (info_.comp_info[c].quant_table == nullptr) return refuse("a component without data");
  describe();
  const Coefficients& picture = picture_;
  sink.begin(picture);
  const auto give = [&](int c, int y) {
    JBLOCKARRAY row = info_.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&info_), arrays[c], static_cast<JDIMENSION>(y), 1, FALSE);
    sink.row(c, y, row[0][0]);
  };
  for (int first = 0, mcuRow = 0; first < picture.components[0].blocksHigh; first += picture.vertical, mcuRow++) {
    for (int y = first; y < first + picture.vertical && y < picture.components[0].blocksHigh; y++) give(0, y);
    for (int c = 1; c < picture.count; c++) give(c, mcuRow);
  }
  jpeg_finish_decompress(&info_);
  return {};
}

Fault JpegReader::coefficients(Coefficients& out) {
  KeepBlocks keep(out);
  return coefficients(keep);
}

void JpegReader::release() {
  scan_.release();
  rows_ = std::vector<uint8_t>();
}

#define HEADRACE_TEXT_OF(x) #x
#define HEADRACE_TEXT(x) HEADRACE_TEXT_OF(x)

const char* JpegReader::version() {
  static char version[64] = "";
  if (version[0] == '\0') {
    // The library prints "1.5.0" as its version where it is libjpeg-turbo's; the text table names itself.
    jpeg_error_mgr manager;
    jpeg_std_error(&manager);
    const char* text = manager.jpeg_message_table[JMSG_VERSION];
    std::snprintf(version, sizeof version, "%s", text != nullptr ? text : "");
#if defined(LIBJPEG_TURBO_VERSION)
    std::snprintf(version, sizeof version, "%s", HEADRACE_TEXT(LIBJPEG_TURBO_VERSION));
#endif
  }
  return version;
}

}  // namespace headrace
