#include "cases.h"

#include <cstdarg>
#include <cstdio>

namespace {

struct Registered {
  const char* name;
  void (*run)(Check&);
};

std::vector<Registered>& registered() {
  static std::vector<Registered> cases;
  return cases;
}

}  // namespace

Case::Case(const char* name, void (*run)(Check&)) { registered().push_back({name, run}); }

void Check::that(bool holds, const char* format, ...) {
  if (holds) return;
  if (++failures > 3) return;
  va_list arguments;
  va_start(arguments, format);
  std::printf("    ");
  std::vprintf(format, arguments);
  std::printf("\n");
  va_end(arguments);
}

void Check::note(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
}

std::vector<const headrace::Kernels*> simdTables() {
  const headrace::Kernels* tables[8];
  const size_t count = headrace::availableKernels(tables, 8);
  return {tables + 1, tables + count};
}

std::vector<const headrace::Kernels*> allTables() {
  auto tables = simdTables();
  tables.push_back(&headrace::kScalarKernels);
  return tables;
}

std::vector<uint8_t> randomBytes(size_t n, std::mt19937& random) {
  std::vector<uint8_t> bytes(n);
  for (uint8_t& byte : bytes) byte = uint8_t(random());
  return bytes;
}

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a crash must not take the names of the cases before it along
  int passed = 0, failed = 0;
  for (const Registered& entry : registered()) {
    Check check;
    entry.run(check);
    check.failures == 0 ? ++passed : ++failed;
    std::printf("%s %s%s%s\n", check.failures == 0 ? "ok  " : "FAIL", entry.name, *check.text ? ": " : "", check.text);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
