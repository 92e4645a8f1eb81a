#include "bus_guard.h"

#include <csignal>
#include <mutex>

namespace headrace {
namespace {

thread_local sigjmp_buf* activeJump = nullptr;
struct sigaction previous;

void onBusError(int signal, siginfo_t* info, void* context) {
  if (activeJump != nullptr) siglongjmp(*activeJump, 1);
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // The instruction runs again and meets the default action.
    std::signal(signal, SIG_DFL);
  }
}

}  // namespace

void installBusGuard() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = onBusError;
    // NODEFER: the handler is left by a jump, after which the signal must not stay blocked.
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, nullptr, &previous);  // first, for the handler reads it
    sigaction(SIGBUS, &action, nullptr);
  });
}

void setBusJump(sigjmp_buf* jump) { activeJump = jump; }

}  // namespace headrace
