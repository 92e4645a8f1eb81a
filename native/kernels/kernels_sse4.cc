#include "kernels.h"
#if defined(__x86_64__)
#include "ops_sse4.h"

#include "expand_shuffle.inl"
#include "rgb_shuffle.inl"
#include "rans.inl"
#include "kernels.inl"

namespace headrace {
constinit const Kernels kSse4Kernels = simdTable("sse4");
}  // namespace headrace
#endif
