#include "compact.h"

#include <algorithm>

#include "packed_picture.h"
#include "strips.h"

namespace headrace {
namespace {

Fault openPlain(std::span<const uint8_t> plain, PackedPicture& picture, Strips& strips) {
  if (const Fault fault = PackedPicture::parse(plain, picture)) return fault;
  if (picture.form != PackedForm::plain) return Fault::of(FaultCode::unsupported, "%s", "packed picture: it is compact already");
  return strips.find(picture, nullptr, 0, picture.mcuRows);
}

}  // namespace

Fault compact(std::span<const uint8_t> plain, const RansTable& table, const Kernels& kernels, std::vector<uint8_t>& out) {
  PackedPicture picture;
  Strips strips(kernels);
  if (const Fault fault = openPlain(plain, picture, strips)) return fault;
  std::vector<uint8_t> body;
  std::vector<size_t> sizes;
  RowSymbols symbols;
  for (int m = 0; m < picture.mcuRows; m++) {
    const size_t before = body.size();
    rowSymbols(picture, strips, m, symbols);
    ransEncode(table, symbols.phases, body);
    body.insert(body.end(), symbols.wides.begin(), symbols.wides.end());
    sizes.push_back(body.size() - before);
  }
  const bool wide = std::any_of(sizes.begin(), sizes.end(), [](size_t size) { return size > UINT16_MAX; });
  out.assign(plain.begin(), plain.begin() + static_cast<ptrdiff_t>(kPackedHeaderBytes + picture.tables.size()));
  out[5] = static_cast<uint8_t>(PackedForm::compact);
  out[12] = static_cast<uint8_t>((out[12] & ~kWideDirectory) | (wide ? kWideDirectory : 0));
  for (const size_t size : sizes)
    for (size_t b = 0; b < (wide ? 4u : 2u); b++) out.push_back(static_cast<uint8_t>(size >> (8 * b)));
  out.insert(out.end(), body.begin(), body.end());
  return {};
}

Fault countSymbols(std::span<const uint8_t> plain, const Kernels& kernels, RansCounts& counts) {
  PackedPicture picture;
  Strips strips(kernels);
  if (const Fault fault = openPlain(plain, picture, strips)) return fault;
  RowSymbols symbols;
  for (int m = 0; m < picture.mcuRows; m++) {
    rowSymbols(picture, strips, m, symbols);
    for (const auto& phase : symbols.phases)
      for (const auto [symbol, context] : phase) counts[context * kSymbols + symbol]++;
  }
  return {};
}

}  // namespace headrace
