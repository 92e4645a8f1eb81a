// fillRandom, randomDifference
#include <tuple>

#include "bindings.h"
#include "napi_values.h"
#include "random_content.h"
#include "scratch.h"

namespace headrace {
namespace {

// Columns of the numbers that describe a content, as RANDOM_CONTENT of src/native.ts has them.
enum Column { kSeed, kFile, kType, kBlock, kPeriod, kRandom, kUnique, kFirst, kRecordBlocks, kColumns };

// Numbers are kept well below 2^53, so that no sum of them is inexact.
constexpr double kMostNumber = 9007199254740992.0;

bool contentOf(std::span<const double> numbers, RandomContent& content) {
  if (numbers.size() != kColumns) return false;
  for (const double number : numbers)
    if (!(number >= 0 && number < kMostNumber)) return false;
  const auto at = [&](Column column) { return uint64_t(numbers[column]); };
  content.seed = at(kSeed);
  content.file = at(kFile);
  content.type = RandomType(at(kType));
  content.block = at(kBlock);
  content.period = at(kPeriod);
  content.random = at(kRandom);
  content.unique = at(kUnique);
  content.first = at(kFirst);
  content.recordBlocks = at(kRecordBlocks);
  const auto [block, period, random] = std::tuple(content.block, content.period, content.random);
  return at(kType) <= uint64_t(RandomType::float64) && block >= kLeastBlock && block <= kMostBlock && (block & (block - 1)) == 0 &&
         random > 0 && random % 8 == 0 && period % 8 == 0 && random <= period;
}

struct Arguments {
  std::span<uint8_t> bytes;
  RandomContent content;
  size_t record = 0, offset = 0;
};

bool getArguments(napi_env env, napi_callback_info info, Arguments& to) {
  size_t count = 4;
  napi_value given[4] = {};
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  std::span<const double> numbers;
  if (!getBytes(env, given[0], "bytes", to.bytes) || !getFloat64s(env, given[1], "content", numbers) ||
      !getSize(env, given[2], "record", to.record) || !getSize(env, given[3], "offset", to.offset))
    return false;
  return contentOf(numbers, to.content) || throwType(env, "content", "the numbers of a content");
}

napi_value fillRandom(napi_env env, napi_callback_info info) {
  Arguments given;
  if (getArguments(env, info, given)) given.content.fill(kernels(), given.record, given.offset, given.bytes);
  return nullptr;
}

napi_value randomDifference(napi_env env, napi_callback_info info) {
  Arguments given;
  if (!getArguments(env, info, given)) return nullptr;
  const size_t same = given.content.difference(kernels(), given.record, given.offset, given.bytes);
  return numberValue(env, same == given.bytes.size() ? -1 : double(same));
}

}  // namespace

void bindRandom(napi_env env, napi_value exports) {
  bind(env, exports, "fillRandom", fillRandom);
  bind(env, exports, "randomDifference", randomDifference);
}

}  // namespace headrace
