// libFuzzer target of decodeImage, the addon's way from untrusted bytes to pixels. Input: an option header (Options and
// ViewOptions below, all zeros: the whole picture as NHWC uint8), then the bytes of a JPEG or of a packed picture.
//
// Held for every input, besides what the sanitizers see:
//   - no byte is written outside the outputs, not by libjpeg either (it is not instrumented, so canaries watch it);
//   - the fault and the pixels do not depend on what the scratch decoded before, nor on the instruction set: a fresh
//     scratch with the scalar kernels says what must come out of a used one with the chosen kernels;
//   - a fault leaves zeros;
//   - the coefficients of a JPEG are those that libjpeg alone reads;
//   - views that share one decode get the pixels that each gets alone;
//   - a JPEG that can be packed has the same pixels packed, plain and compact;
//   - a gray or 4:2:0 JPEG of even sides has the same pixels as planes.
//
// make short | long | replay | corpus in this folder; a single input: build/fuzz/decode_fuzz <file>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <sanitizer/asan_interface.h>

#include "../dct/compact.h"
#include "../dct/pack.h"
#include "../src/image_decode.h"
#include "../src/yuv420_writer.h"
#include "../test/bare_jpeg.h"
#include "packed_input.h"

namespace headrace {

static const Kernels* chosen = &kScalarKernels;
const Kernels& kernels() { return *chosen; }

namespace {

constexpr size_t kMaxViews = 3;
constexpr size_t kMaxTables = 4;
constexpr double kMaxPixels = 1 << 20;
constexpr size_t kMaxOutput = 1 << 18;  // pixels of one view, for speed
constexpr size_t kMaxWork = 1 << 20;    // source rows times output columns of one view, for speed

constexpr float kScale[] = {0.01712475f, 0.017507f, 0.01742919f}, kBias[] = {-2.117904f, -2.0357141f, -1.8044444f};

enum class BoxKind { clip, copy, fraction, raw };

struct __attribute__((packed)) ViewOptions {
  uint8_t flags;           // 1 NCHW, 2 mirrored, 4 the clip from fractions, 8 the clip as it stands, 16.. dtype % 3
  uint8_t box;             // BoxKind % 4
  uint16_t width, height;  // of the output; one of them 0: as large as the clip
  uint16_t clip[4];
  union {
    uint16_t fraction[4];
    double raw[4];
  };
};

struct __attribute__((packed)) Options {
  uint8_t table;  // kernels, % available, widest first
  uint8_t flags;  // 1 ifast, 2 plain upsampling, 4 tolerant, 8 metadata that disagree with the header
  uint8_t views;  // 1 + this % kMaxViews
  uint8_t scale;  // not zero: ImageNet's normalisation
  ViewOptions view[kMaxViews];
};

[[noreturn]] void fail(const char* what, const Fault& fault = {}, const Fault& other = {}) {
  std::fprintf(stderr, "decode_fuzz: %s [%s] [%s]\n", what, fault.reason, other.reason);
  std::abort();
}

// Memory of exactly the bytes of one output: poisoned around for our code, watched for code without instrumentation.
class Output {
 public:
  explicit Output(size_t bytes) : bytes_(bytes), memory_(new uint8_t[bytes + 2 * kGuard]) {
    std::memset(memory_.get(), kCanary, bytes + 2 * kGuard);
    ASAN_POISON_MEMORY_REGION(memory_.get(), kGuard);
    ASAN_POISON_MEMORY_REGION(data() + bytes_, kGuard);
  }
  Output(Output&&) = default;
  ~Output() {
    if (!memory_) return;
    ASAN_UNPOISON_MEMORY_REGION(memory_.get(), bytes_ + 2 * kGuard);
    for (size_t i = 0; i < kGuard; i++)
      if (memory_[i] != kCanary || data()[bytes_ + i] != kCanary) fail("a write outside an output");
  }
  uint8_t* data() const { return memory_.get() + kGuard; }
  bool zero() const { return std::all_of(data(), data() + bytes_, [](uint8_t byte) { return byte == 0; }); }
  bool operator==(const Output& other) const {
    return bytes_ == other.bytes_ && std::memcmp(data(), other.data(), bytes_) == 0;
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr uint8_t kCanary = 0xa5;
  size_t bytes_;
  std::unique_ptr<uint8_t[]> memory_;
};

// As in a field of packed coefficients: each sample is what it begins as.
const Storage& storage() {
  static const RansTable table = [] {
    RansTable made;
    made.build(fuzzFrequencies());
    return made;
  }();
  static const Storage storage{Encoding::packed, &table};
  return storage;
}

struct Job {
  Picture picture;
  JpegOptions options;
  std::vector<View> views;
  std::vector<Box> boxes;
};

struct Outcome {
  Fault fault;
  std::vector<Output> out;
};

Outcome decode(const Job& job, Scratch& scratch, const Storage& stored = storage()) {
  Outcome outcome;
  uint8_t* places[kMaxViews];
  for (size_t k = 0; k < job.views.size(); k++)
    places[k] = outcome.out.emplace_back(job.boxes[k].outBytes(job.views[k])).data();
  outcome.fault = decodeImage(job.picture, stored, job.options, job.views, job.boxes, {places, job.views.size()}, scratch);
  if (outcome.fault)
    for (const Output& out : outcome.out)
      if (!out.zero()) fail("a fault that left pixels", outcome.fault);
  return outcome;
}

Job part(const Job& job, size_t k) { return {job.picture, job.options, {job.views[k]}, {job.boxes[k]}}; }

int within(uint16_t fraction, int size) { return static_cast<int>(fraction / 65536.0 * size); }

PixelRect clipOf(const ViewOptions& options, int width, int height) {
  const uint16_t c[] = {options.clip[0], options.clip[1], options.clip[2], options.clip[3]};
  if (options.flags & 8) return {c[0], c[1], c[2], c[3]};
  if (!(options.flags & 4)) return {0, 0, width, height};
  const int x = within(c[0], width), y = within(c[1], height);
  return {x, y, 1 + within(c[2], width - x), 1 + within(c[3], height - y)};
}

Box boxOf(const ViewOptions& options, const PixelRect& clip, View& view) {
  Box box{clip, double(clip.x), double(clip.y), double(clip.width), double(clip.height), (options.flags & 2) != 0};
  const auto at = [&](int i) { return options.fraction[i] / 65536.0; };
  switch (static_cast<BoxKind>(options.box % 4)) {
    case BoxKind::clip: break;
    case BoxKind::copy:
      box.x += within(options.fraction[0], clip.width);
      box.y += within(options.fraction[1], clip.height);
      view.width = 1 + within(options.fraction[2], clip.width);
      view.height = 1 + within(options.fraction[3], clip.height);
      box.width = view.width;
      box.height = view.height;
      break;
    case BoxKind::fraction:  // reaches out of the clip by up to its own size
      box.x += (at(0) * 2 - 1) * clip.width;
      box.y += (at(1) * 2 - 1) * clip.height;
      box.width *= at(2) * 2;
      box.height *= at(3) * 2;
      break;
    case BoxKind::raw:
      box.x = options.raw[0];
      box.y = options.raw[1];
      box.width = options.raw[2];
      box.height = options.raw[3];
      break;
  }
  return box;
}

// The size that a header says, where it says one.
void setSize(Picture& picture, const JpegOptions& options) {
  if (PackedPicture::isPacked(picture.bytes)) {
    PackedPicture packed;
    if (PackedPicture::parse(picture.bytes, packed)) return;
    picture.width = packed.width;
    picture.height = packed.height;
    return;
  }
  JpegReader reader;
  if (reader.open(picture.bytes.data(), picture.bytes.size(), options)) return;
  picture.width = reader.width();
  picture.height = reader.height();
}

// What jobs_binding.cc promises holds: sides of 0 (both) to kMaxSide, clips of 0 to 65535, any doubles.
Job jobOf(const Options& options, std::span<const uint8_t> bytes) {
  Job job{{bytes, 64, 48}, {}, {}, {}};
  job.options = {(options.flags & 1) != 0, (options.flags & 2) == 0, (options.flags & 4) != 0, kMaxPixels};
  setSize(job.picture, job.options);
  if ((options.flags & 8) != 0) job.picture.width++;
  for (size_t k = 0; k < 1 + options.views % kMaxViews; k++) {
    const ViewOptions& asked = options.view[k];
    View view{asked.width % (kMaxSide + 1), asked.height % (kMaxSide + 1), (asked.flags & 1) != 0,
              static_cast<PixelType>((asked.flags >> 4) % 3)};
    if (view.width == 0 || view.height == 0) view.width = view.height = 0;
    if (options.scale != 0) {
      std::copy_n(kScale, 3, view.scale);
      std::copy_n(kBias, 3, view.bias);
    }
    Box box = boxOf(asked, clipOf(asked, job.picture.width, job.picture.height), view);
    const auto fits = [&] { return static_cast<size_t>(box.outWidth(view)) * static_cast<size_t>(box.outHeight(view)) <= kMaxOutput; };
    if (!fits()) view.width = std::max(1, view.width), view.height = 1;
    // Every source row is resized to the width of the output, also where that has one row.
    const size_t columns = std::max<size_t>(1, kMaxWork / static_cast<size_t>(std::max(1, box.clip.height)));
    if (view.width > 0) view.width = static_cast<int>(std::min(static_cast<size_t>(view.width), columns));
    job.views.push_back(view);
    job.boxes.push_back(box);
  }
  return job;
}

// A picture with tables unlike anyone else's, to leave traces in the scratch.
std::vector<uint8_t> otherPicture() {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = 72;
  info.image_height = 56;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 37, TRUE);
  info.optimize_coding = TRUE;
  info.restart_interval = 2;
  jpeg_start_compress(&info, TRUE);
  uint8_t row[72 * 3];
  uint32_t random = 1;
  while (info.next_scanline < info.image_height) {
    for (uint8_t& sample : row) sample = static_cast<uint8_t>((random = random * 1664525 + 1013904223) >> 24);
    JSAMPROW rows[] = {row};
    jpeg_write_scanlines(&info, rows, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<uint8_t> bytes(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return bytes;
}

// The coefficients of a JPEG: our own decoder of its Huffman code has none, or those that libjpeg alone reads.
void checkScan(const Job& job, const Kernels& kernels) {
  if (PackedPicture::isPacked(job.picture.bytes)) return;
  JpegOptions strict = job.options;
  strict.tolerant = false;
  JpegReader reader(kernels);
  Coefficients got, bare;
  Fault fault = reader.open(job.picture.bytes.data(), job.picture.bytes.size(), strict);
  if (!fault) fault = reader.coefficients(got);
  const bool reads = (fault.code == FaultCode::none || fault.code == FaultCode::corrupt) && readBareJpeg(job.picture.bytes, bare);
  if (fault.code == FaultCode::corrupt && reads) fail("libjpeg reads coefficients, we do not", fault);
  if (fault) return;
  if (!reads) fail("we read coefficients, libjpeg does not");
  for (int c = 0; c < got.count; c++)
    if (got.components[c].blocks != bare.components[c].blocks) fail("other coefficients than libjpeg's");
}

// The same picture packed, where it can be: both forms, plain with bytes behind it that may be read.
void checkPacked(Job job, const Outcome& wanted, const Kernels& kernels, Scratch& scratch) {
  Coefficients coefficients;
  std::vector<uint8_t> plain, compacted;
  if (job.options.fastDct || !job.options.fancyUpsampling || PackedPicture::isPacked(job.picture.bytes)) return;
  JpegOptions strict = job.options;
  strict.tolerant = false;
  JpegReader reader(kernels);
  if (reader.open(job.picture.bytes.data(), job.picture.bytes.size(), strict) || reader.coefficients(coefficients)) return;
  if (pack(coefficients, kernels, plain)) return;
  const size_t size = plain.size();
  plain.resize(size + kStripPadding);
  if (const Fault fault = compact({plain.data(), size}, *storage().table, kernels, compacted)) fail("packed, but not made compact", fault);
  for (const bool tight : {false, true}) {
    job.picture.bytes = tight ? std::span<const uint8_t>(compacted) : std::span<const uint8_t>(plain.data(), size);
    job.picture.readable = tight ? 0 : kStripPadding;
    const Outcome packed = decode(job, scratch);
    if (packed.fault) fail("packed, but not decoded", packed.fault);
    if (packed.out != wanted.out) fail(tight ? "other pixels made compact" : "other pixels packed");
  }
}

// The same picture as planes, where its samples are those of planes.
void checkPlanes(Job job, const Outcome& wanted, Scratch& scratch) {
  if (job.options.fastDct || PackedPicture::isPacked(job.picture.bytes)) return;
  JpegOptions strict = job.options;
  strict.tolerant = false;
  JpegReader reader;
  Yuv420Picture planes;
  if (reader.open(job.picture.bytes.data(), job.picture.bytes.size(), strict) || !reader.isYuv420()) return;
  if (toYuv420(reader, Rounding::nearest, planes)) return;
  if (planes.width != job.picture.width || planes.height != job.picture.height) return;
  job.picture.bytes = planes.bytes;
  job.picture.readable = 0;
  const Outcome stored = decode(job, scratch, {Encoding::yuv420, nullptr});
  if (stored.fault) fail("made planes of, but not decoded", stored.fault);
  if (stored.out != wanted.out) fail("other pixels as planes");
}

void run(const Job& job, size_t table) {
  static const std::vector<uint8_t> otherBytes = otherPicture();
  static const Job other{{otherBytes, 72, 56}, {false, true, false, kMaxPixels}, {View{96, 64}, View{}},
                         {Box{{0, 0, 72, 56}, 0, 0, 72, 56}, Box{{3, 5, 60, 40}, 3, 5, 60, 40}}};
  static std::optional<Scratch> used[kMaxTables];

  const Kernels* tables[kMaxTables];
  const size_t count = availableKernels(tables, kMaxTables);
  table = count - 1 - table % count;
  if (!used[table]) {
    chosen = tables[table];
    used[table].emplace();
  }
  if (const Outcome outcome = decode(other, *used[table]); outcome.fault) fail("a sound picture refused", outcome.fault);

  chosen = &kScalarKernels;
  Scratch fresh;
  const Outcome wanted = decode(job, fresh);
  const Outcome got = decode(job, *used[table]);
  if (wanted.fault.code != got.fault.code || std::strcmp(wanted.fault.reason, got.fault.reason) != 0)
    fail("the fault depends on what was decoded before", wanted.fault, got.fault);
  if (wanted.out != got.out) fail("the pixels depend on what was decoded before, or on the instruction set");
  checkScan(job, *tables[table]);
  if (wanted.fault) return;
  checkPacked(job, wanted, *tables[table], *used[table]);
  checkPlanes(job, wanted, *used[table]);
  if (job.views.size() == 1) return;
  for (size_t k = 0; k < job.views.size(); k++) {
    const Outcome alone = decode(part(job, k), fresh);
    if (!alone.fault && !(alone.out[0] == wanted.out[k])) fail("a view alone has other pixels than in a shared decode");
    if (alone.fault) fail("a view alone fails where the shared decode does not", alone.fault);
  }
}

}  // namespace
}  // namespace headrace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  headrace::Options options;
  if (size < sizeof options) return -1;
  std::memcpy(&options, data, sizeof options);
  headrace::run(headrace::jobOf(options, {data + sizeof options, size - sizeof options}), options.table);
  return 0;
}
