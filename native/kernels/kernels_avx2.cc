#include "kernels.h"
#if defined(__x86_64__)
#include "ops_avx2.h"

#include "expand_shuffle.inl"
#include "rgb_shuffle.inl"
#include "rans.inl"
#include "kernels.inl"

namespace headrace {
constinit const Kernels kAvx2Kernels = simdTable("avx2");
}  // namespace headrace
#endif
