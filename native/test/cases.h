// Named cases: a case is a sentence about behaviour and a function that checks it. cases.cc has main().
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "../kernels/kernels.h"

class Check {
 public:
  // Records a failure where `holds` is false; the first few are printed with their printf arguments.
  [[gnu::format(printf, 3, 4)]] void that(bool holds, const char* format, ...);
  // A measured figure, printed behind the name of the case.
  [[gnu::format(printf, 2, 3)]] void note(const char* format, ...);
  int failures = 0;
  char text[160] = "";
};

struct Case {
  Case(const char* name, void (*run)(Check&));
};

// Elements with guards behind them. Sized exactly, so that the address sanitizer sees a read past the end too.
template <typename T>
struct Guarded {
  static constexpr unsigned char kGuard = 0xA5;
  size_t guards;
  std::vector<T> all;

  explicit Guarded(size_t n, size_t guardCount = 256) : guards(guardCount), all(n + guardCount) {
    std::memset(all.data(), kGuard, all.size() * sizeof(T));
  }
  T* data() { return all.data(); }
  // Nothing was written at element n or behind.
  bool intactFrom(size_t n) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(all.data());
    for (size_t i = n * sizeof(T); i < all.size() * sizeof(T); ++i) {
      if (bytes[i] != kGuard) return false;
    }
    return true;
  }
};

// Every available table but the scalar one.
std::vector<const headrace::Kernels*> simdTables();
std::vector<const headrace::Kernels*> allTables();
std::vector<uint8_t> randomBytes(size_t n, std::mt19937& random);
inline size_t roundUp(size_t n) { return (n + headrace::kRowAlign - 1) / headrace::kRowAlign * headrace::kRowAlign; }
