#include "kernels.h"
#if defined(__x86_64__)
#include "ops_avx512.h"

#include "expand_avx512.inl"
#include "rgb_avx512.inl"
#include "rans.inl"
#include "kernels.inl"

namespace headrace {
constinit const Kernels kAvx512Kernels = simdTable("avx512");
}  // namespace headrace
#endif
