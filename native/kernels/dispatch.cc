#include <cstring>

#include "kernels.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace headrace {
namespace {

constexpr size_t kMostTables = 4;
constexpr const char* kSimdNames[] = {"sse4", "avx2", "avx512", "neon"};

#if defined(__x86_64__)
// Asked of the processor itself: not every compiler's __builtin_cpu_supports knows the name. Its YMM state is checked
// with AVX2.
bool hasF16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
}

bool hasSse4() {
  return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("popcnt");
}

// Everything that the compiler may use in the file, not only what its source asks for.
bool hasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && hasF16c();
}

// From Ice Lake and Zen 4 on: the packed coefficients want the byte permutes and expands of VBMI.
bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#endif

}  // namespace

size_t availableKernels(const Kernels** out, size_t capacity) {
  size_t count = 0;
  const auto add = [&](const Kernels& table) {
    if (count < capacity) out[count++] = &table;
  };
  add(kScalarKernels);
#if defined(__x86_64__)
  if (hasSse4()) add(kSse4Kernels);
  if (hasAvx2()) add(kAvx2Kernels);
  if (hasAvx512()) add(kAvx512Kernels);
#elif defined(__aarch64__)
  add(kNeonKernels);
#endif
  return count;
}

const Kernels* chooseKernels(const char* forced, const char** error) {
  const Kernels* tables[kMostTables];
  const size_t count = availableKernels(tables, kMostTables);
  if (forced == nullptr || *forced == '\0') return tables[count - 1];
  for (size_t i = 0; i < count; ++i) {
    if (std::strcmp(tables[i]->name, forced) == 0) return tables[i];
  }
  *error = "HEADRACE_SIMD must be scalar, sse4, avx2, avx512 or neon";
  for (const char* name : kSimdNames) {
    if (std::strcmp(name, forced) == 0) *error = "HEADRACE_SIMD names an instruction set that this processor or build lacks";
  }
  return nullptr;
}

}  // namespace headrace
