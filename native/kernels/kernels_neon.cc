#include "kernels.h"
#if defined(__aarch64__)
#include "ops_neon.h"

#include "expand_shuffle.inl"
#include "rgb_shuffle.inl"
#include "rans.inl"
#include "kernels.inl"

namespace headrace {
constinit const Kernels kNeonKernels = simdTable("neon");
}  // namespace headrace
#endif
