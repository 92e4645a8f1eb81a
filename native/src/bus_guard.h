// Reading a mapped file whose pages cannot be had (it was cut off by someone else, or its device fails) raises SIGBUS,
// which would end the process. Work that runs under the guard fails instead.
//
// Hazard: the signal jumps out of the work. Only frames without destructors that matter, and no locks, may lie between
// the guard and the read.
#pragma once
#include <csetjmp>

namespace headrace {

// Puts the handler in place, once. Signals that no guard waits for go on to whoever had them before.
void installBusGuard();
// The jump that a bus error on this thread takes; null: none.
void setBusJump(sigjmp_buf* jump);

// Runs work(); false if it met a page that cannot be read.
template <typename Work>
bool withBusGuard(Work&& work) {
  sigjmp_buf jump;
  if (sigsetjmp(jump, 0) != 0) {
    setBusJump(nullptr);
    return false;
  }
  setBusJump(&jump);
  work();
  setBusJump(nullptr);
  return true;
}

inline constexpr const char* kUnreadable = "the mapped file cannot be read here: it was cut off, or its device fails";

}  // namespace headrace
