#include "compact.h"

#include "pack.h"
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
  out.assign(plain.begin(), plain.begin() + static_cast<ptrdiff_t>(kPackedHeaderBytes + picture.tables.size()));
  out[kFormAt] = static_cast<uint8_t>(PackedForm::compact);
  appendRows(sizes, body, out);
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
