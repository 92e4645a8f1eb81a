# What every kernels_*.cc is compiled with, as in binding.gyp; dispatch.cc asks the processor for the same.
SIMD_kernels_sse4 = -msse4.1 -mssse3 -mpopcnt
SIMD_kernels_avx2 = -mavx2 -mpopcnt -mf16c -mbmi -mbmi2
SIMD_kernels_avx512 = -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vbmi -mavx512vbmi2 -mpopcnt -mf16c -mbmi2
