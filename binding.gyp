{
  "variables": {
    "kernel_cflags": ["-std=c++20", "-O3", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-Wall", "-Wextra"]
  },
  "target_defaults": {
    "cflags_cc!": ["-std=gnu++17", "-fexceptions"],
    "cflags!": ["-fno-omit-frame-pointer"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "MACOSX_DEPLOYMENT_TARGET": "12.0",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off"]
    }
  },
  "targets": [
    {
      "target_name": "kernels_sse4",
      "type": "static_library",
      "sources": ["native/kernels/kernels_sse4.cc"],
      "cflags_cc": ["<@(kernel_cflags)"],
      "conditions": [["target_arch=='x64'", { "cflags_cc": ["-msse4.1", "-mssse3", "-mpopcnt"], "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-msse4.1", "-mpopcnt"] } }]]
    },
    {
      "target_name": "kernels_avx2",
      "type": "static_library",
      "sources": ["native/kernels/kernels_avx2.cc"],
      "cflags_cc": ["<@(kernel_cflags)"],
      "conditions": [["target_arch=='x64'", { "cflags_cc": ["-mavx2", "-mpopcnt", "-mf16c", "-mbmi", "-mbmi2"], "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mpopcnt", "-mf16c", "-mbmi", "-mbmi2"] } }]]
    },
    {
      "target_name": "kernels_avx512",
      "type": "static_library",
      "sources": ["native/kernels/kernels_avx512.cc"],
      "cflags_cc": ["<@(kernel_cflags)"],
      "conditions": [["target_arch=='x64'", { "cflags_cc": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vbmi", "-mavx512vbmi2", "-mpopcnt", "-mf16c", "-mbmi2"], "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vbmi", "-mavx512vbmi2", "-mpopcnt", "-mf16c", "-mbmi2"] } }]]
    },
    {
      "target_name": "headrace",
      "dependencies": ["kernels_sse4", "kernels_avx2", "kernels_avx512"],
      "defines": ["NAPI_VERSION=9"],
      "sources": [
        "native/kernels/dispatch.cc",
        "native/kernels/kernels_scalar.cc",
        "native/kernels/kernels_neon.cc",
        "native/kernels/resize_plan.cc",
        "native/dct/compact.cc",
        "native/dct/jpeg_writer.cc",
        "native/dct/pack.cc",
        "native/dct/packed_picture.cc",
        "native/dct/packed_reader.cc",
        "native/dct/rans.cc",
        "native/dct/strips.cc",
        "native/src/addon.cc",
        "native/src/block_transfer.cc",
        "native/src/bus_guard.cc",
        "native/src/checksum_binding.cc",
        "native/src/clock_binding.cc",
        "native/src/crc32.cc",
        "native/src/crc32c.cc",
        "native/src/crc64nvme.cc",
        "native/src/direct_binding.cc",
        "native/src/grey_jpeg.cc",
        "native/src/grey_jpeg_binding.cc",
        "native/src/huffman_table.cc",
        "native/src/image_decode.cc",
        "native/src/io_ring.cc",
        "native/src/jobs_binding.cc",
        "native/src/jpeg_reader.cc",
        "native/src/jpeg_scan.cc",
        "native/src/memory_map.cc",
        "native/src/memory_map_binding.cc",
        "native/src/napi_values.cc",
        "native/src/open_file.cc",
        "native/src/pack_binding.cc",
        "native/src/page_cache_binding.cc",
        "native/src/pool.cc",
        "native/src/process_binding.cc",
        "native/src/promise_task.cc",
        "native/src/random_binding.cc",
        "native/src/random_content.cc",
        "native/src/resampler.cc",
        "native/src/slab.cc",
        "native/src/slot.cc",
        "native/src/slot_binding.cc",
        "native/src/slot_slab.cc",
        "native/src/slot_slab_binding.cc",
        "native/src/system_code.cc",
        "native/src/transpose.cc",
        "native/src/transpose_binding.cc",
        "native/src/yuv420_binding.cc",
        "native/src/yuv420_reader.cc",
        "native/src/yuv420_writer.cc"
      ],
      "cflags_cc": ["<@(kernel_cflags)"],
      "libraries": ["-ljpeg"],
      "ldflags": ["-Wl,--gc-sections"]
    }
  ]
}
