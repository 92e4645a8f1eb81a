// Words of random content, a register at a time: see scalar_random.h, which this equals.

namespace headrace {
namespace {

void randomWords(const uint32_t* key, uint32_t first, size_t n, uint8_t* out) {
  int32_t numbers[kFloats];
  for (size_t lane = 0; lane < kFloats; ++lane) numbers[lane] = int32_t((first + uint32_t(lane)) * scalar::kRandomStep + key[0]);
  Ints at = loadInts(numbers);
  const Ints step = setInts(int32_t(uint32_t(kFloats) * scalar::kRandomStep));
  const Ints one = setInts(int32_t(scalar::kRandomFirst)), two = setInts(int32_t(scalar::kRandomSecond));
  const Ints middle = setInts(int32_t(key[1])), last = setInts(int32_t(key[2]));
  size_t i = 0;
  for (; i + kFloats <= n; i += kFloats, at = addInts(at, step)) {
    Ints word = multiplyInts(xorInts(at, shiftIntsDown<16>(at)), one);
    word = addInts(xorInts(word, shiftIntsDown<15>(word)), middle);
    word = multiplyInts(word, two);
    word = xorInts(word, shiftIntsDown<16>(word));
    storeInts(out + 4 * i, xorInts(word, last));
  }
  scalar::randomWordsFrom(i, key, first, n, out);
}

}  // namespace
}  // namespace headrace
