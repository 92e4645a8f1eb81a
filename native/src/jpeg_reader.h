// JPEG -> RGB rows of a rectangle, by libjpeg(-turbo), touching no more of the picture than the rectangle needs.
// The pixels are those of a decode of the whole picture: fancy upsampling looks one chroma sample past the rectangle,
// so a margin is decoded and dropped.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <csetjmp>
#include <vector>

#include <jpeglib.h>

#include "../dct/coefficients.h"
#include "fault.h"
#include "jpeg_scan.h"
#include "row_sink.h"

namespace headrace {

struct JpegOptions {
  bool fastDct = false;          // JDCT_IFAST in place of JDCT_ISLOW
  bool fancyUpsampling = true;
  bool tolerant = false;         // keep what libjpeg makes of damaged data
  double maxPixels = 0;
};

// Where the samples of one component go: `height` rows of `width`, `stride` apart.
struct SamplePlane {
  uint8_t* samples = nullptr;
  size_t stride = 0;
  int width = 0, height = 0;
};

class JpegReader {
 public:
  // The kernels are those that coefficients are read with.
  explicit JpegReader(const Kernels& kernels = kScalarKernels);
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Reads the header; width() and height() are then known. `data` must stay until decode returns.
  Fault open(const uint8_t* data, size_t size, const JpegOptions& options);
  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }

  // Decodes rect (inside the picture) into the sink. On a fault some rows may have been given.
  Fault decode(const PixelRect& rect, RowSink& sink);

  // Whether the picture is gray, or Y, Cb, Cr with half as many columns and rows of Cb and Cr.
  bool isYuv420() const;
  // The samples of such a picture as the transform gives them: no upsampling, no colour. Of a gray one planes[0] alone.
  // On a fault some may have been given.
  Fault samples(const SamplePlane (&planes)[3]);

  // The picture's quantised coefficients; `unsupported` where it is not one that can be packed (docs/formats/dct.md).
  // On a fault some may have been given.
  Fault coefficients(BlockSink& sink);
  Fault coefficients(Coefficients& out);

  size_t bytes() const { return rows_.capacity() + scan_.bytes(); }
  // Gives the memory back; the next picture takes new.
  void release();
  // The libjpeg-turbo that is linked, such as "2.1.5".
  static const char* version();

 private:
  struct ErrorManager {
    jpeg_error_mgr base;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    bool tolerant;
    FaultCode code;  // what the error at hand is
  };
  static void onError(j_common_ptr info);
  static void onMessage(j_common_ptr info, int level);
  static void onProgress(j_common_ptr info);
  static void* allocateForPicture(j_common_ptr info, int pool, size_t bytes);
  void forgetPicture();
  Fault fault() const;
  bool chooseColour();
  bool smooths() const;
  const char* whyNotPacked() const;
  bool describe();
  bool readScan(BlockSink& sink);
  void useRows(size_t rowBytes);
  void toRgb(const uint8_t* cmyk, size_t pixels, uint8_t* rgb) const;

  jpeg_decompress_struct info_{};
  ErrorManager error_{};
  jpeg_progress_mgr progress_{};
  decltype(jpeg_memory_mgr::alloc_small) allocateSmall_ = nullptr;
  JpegOptions options_;
  JpegScan scan_;
  Coefficients picture_;  // a member, for a jump out of libjpeg would leave a local one's memory behind
  std::vector<uint8_t> rows_;
};

}  // namespace headrace
