// monotonic, waitUntil
#include <ctime>

#if defined(__linux__)
#include <sys/prctl.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>

#include "bindings.h"
#include "napi_values.h"

namespace headrace {
namespace {

// ms before the end at which sleeping gives way to spinning: the kernel wakes a thread 40 to 135 us late.
constexpr double kSpin = 0.2;
// ms of one sleep at most: how late `stop` may be noticed.
constexpr double kLongestSleep = 20;

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Timers of a thread may be late by 50 us so that they fire together; for this thread's own not.
void exactTimers() {
#if defined(__linux__)
  thread_local const int done = ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  static_cast<void>(done);
#endif
}

void sleepFor(double milliseconds) {
  timespec span{};
  span.tv_nsec = static_cast<long>(milliseconds * 1e6);  // below 1e9: kLongestSleep
  ::nanosleep(&span, nullptr);
}

napi_value monotonic(napi_env env, napi_callback_info) { return numberValue(env, now()); }

// (time, stop)
napi_value waitUntil(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  double end = 0;
  std::span<const uint32_t> stop;
  if (!getNumber(env, arguments[0], "time", end) || !getUint32s(env, arguments[1], "stop", stop)) return nullptr;
  if (stop.empty()) return throwType(env, "stop", "a Uint32Array of one or more"), nullptr;
  exactTimers();
  double time = now();
  while (time < end && __atomic_load_n(stop.data(), __ATOMIC_RELAXED) == 0) {
    const double left = end - time;
    if (left > kSpin) sleepFor(std::min(left - kSpin, kLongestSleep));
    else relax();
    time = now();
  }
  return numberValue(env, time);
}

}  // namespace

void bindClock(napi_env env, napi_value exports) {
  bind(env, exports, "monotonic", monotonic);
  bind(env, exports, "waitUntil", waitUntil);
}

}  // namespace headrace
