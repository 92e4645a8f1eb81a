#include "jpeg_scan.h"

#include <algorithm>
#include <cstring>

namespace headrace {
namespace {

constexpr size_t kMostBlocks = 6;  // of an MCU
constexpr size_t kSegmentPadding = kMostBlocks * kHuffmanBlockBytes + 16;
constexpr int kEndMarker = 0xd9, kFirstRestart = 0xd0;

int divideUp(int value, int by) { return (value + by - 1) / by; }

}  // namespace

bool JpegScan::begin(const jpeg_decompress_struct& info) {
  if (info.progressive_mode || info.arith_code || info.data_precision != 8 || info.comps_in_scan != info.num_components ||
      (info.num_components != 1 && info.num_components != 3) || info.Ss != 0 || info.Se != DCTSIZE2 - 1 || info.Ah != 0 || info.Al != 0)
    return false;
  count_ = info.num_components;
  int across = 1, down = 1;
  for (int c = 0; c < count_; c++) {
    const jpeg_component_info& from = info.comp_info[c];
    // libjpeg looks at these numbers only when it begins the scan itself.
    const auto isTable = [](int number) { return number >= 0 && number < NUM_HUFF_TBLS; };
    if (!isTable(from.dc_tbl_no) || !isTable(from.ac_tbl_no)) return false;
    const JHUFF_TBL* dc = info.dc_huff_tbl_ptrs[from.dc_tbl_no];
    const JHUFF_TBL* ac = info.ac_huff_tbl_ptrs[from.ac_tbl_no];
    if (info.cur_comp_info[c] != &from || dc == nullptr || ac == nullptr) return false;
    if (!dcTables_[from.dc_tbl_no].build(*dc, true) || !acTables_[from.ac_tbl_no].build(*ac, false)) return false;
    Component& to = components_[c];
    // A scan of one component has one block an MCU, whatever its sampling.
    to.horizontal = count_ == 1 ? 1 : from.h_samp_factor;
    to.vertical = count_ == 1 ? 1 : from.v_samp_factor;
    to.dcTable = from.dc_tbl_no;
    to.acTable = from.ac_tbl_no;
    to.dc = 0;
    across = std::max(across, to.horizontal);
    down = std::max(down, to.vertical);
  }
  size_t blocksOfMcu = 0;
  for (int c = 0; c < count_; c++) blocksOfMcu += static_cast<size_t>(components_[c].horizontal * components_[c].vertical);
  if (blocksOfMcu > kMostBlocks) return false;
  mcus_ = divideUp(static_cast<int>(info.image_width), 8 * across);
  const size_t wanted = blocksOfMcu * static_cast<size_t>(mcus_) * 64;
  if (blocks_.size() < wanted) blocks_.resize(wanted);
  int16_t* next = blocks_.data();
  for (int c = 0; c < count_; c++) {
    Component& component = components_[c];
    component.blocks = next;
    component.rowLength = static_cast<size_t>(component.horizontal) * static_cast<size_t>(mcus_) * 64;
    next += component.rowLength * static_cast<size_t>(component.vertical);
  }
  restartInterval_ = untilRestart_ = info.restart_interval;
  restarts_ = 0;
  input_ = info.src->next_input_byte;
  inputEnd_ = input_ + info.src->bytes_in_buffer;
  return takeSegment();
}

// The code up to the next marker.
bool JpegScan::takeSegment() {
  const auto left = static_cast<size_t>(inputEnd_ - input_);
  if (segment_.size() < left + kSegmentPadding) segment_.resize(left + kSegmentPadding);
  uint8_t* out = segment_.data();
  for (;;) {
    const auto* found = static_cast<const uint8_t*>(std::memchr(input_, 0xff, static_cast<size_t>(inputEnd_ - input_)));
    if (found == nullptr || found + 1 == inputEnd_) return false;
    const auto length = static_cast<size_t>(found - input_);
    std::memcpy(out, input_, length + 1);
    out += length;
    input_ = found + 2;
    if (found[1] == 0) {
      out++;
      continue;
    }
    marker_ = found[1];
    segmentBytes_ = static_cast<size_t>(out - segment_.data());
    bits_ = {0, 0, segment_.data()};
    return true;
  }
}

// Whether the code ends in the last byte of the segment.
bool JpegScan::segmentUsed() const {
  const auto used = static_cast<size_t>(bits_.next - segment_.data()) * 8 - bits_.count;
  return used <= segmentBytes_ * 8 && used + 8 > segmentBytes_ * 8;
}

bool JpegScan::ended() const { return segmentUsed() && marker_ == kEndMarker; }

bool JpegScan::restart() {
  if (!segmentUsed() || marker_ != kFirstRestart + restarts_ % 8) return false;
  restarts_++;
  untilRestart_ = restartInterval_;
  for (Component& component : components_) component.dc = 0;
  return takeSegment();
}

bool JpegScan::decodeRow() {
  size_t length = 0;
  for (int c = 0; c < count_; c++) length += components_[c].rowLength * static_cast<size_t>(components_[c].vertical);
  std::memset(blocks_.data(), 0, length * sizeof(int16_t));
  for (int mcu = 0; mcu < mcus_; mcu++) {
    if (restartInterval_ != 0 && untilRestart_ == 0 && !restart()) return false;
    untilRestart_--;
    for (int c = 0; c < count_; c++) {
      Component& component = components_[c];
      const HuffmanCodes &dc = dcTables_[component.dcTable].codes(), &ac = acTables_[component.acTable].codes();
      for (int v = 0; v < component.vertical; v++) {
        int16_t* block = component.blocks + static_cast<size_t>(v) * component.rowLength + static_cast<size_t>(mcu * component.horizontal) * 64;
        for (int h = 0; h < component.horizontal; h++, block += 64)
          if (!kernels_.huffmanBlock(bits_, dc, ac, component.dc, block)) return false;
      }
    }
    if (bits_.next > segment_.data() + segmentBytes_ + 8) return false;
  }
  return true;
}

void JpegScan::release() {
  segment_ = std::vector<uint8_t>();
  blocks_ = std::vector<int16_t>();
}

}  // namespace headrace
