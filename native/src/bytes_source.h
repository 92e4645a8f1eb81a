// Where a job's stored bytes lie: a mapped file or a Uint8Array, with one range a sample.
#pragma once
#include <node_api.h>

#include <memory>
#include <span>
#include <vector>

#include "fault.h"
#include "memory_map.h"

namespace headrace {

struct BytesSource {
  std::shared_ptr<MemoryMap> map;   // keeps a mapped file alive
  std::span<const uint8_t> bytes;
  std::vector<double> offsets, sizes;

  // From a job's source, sourceOffsets and sourceSizes. False with a pending exception.
  bool read(napi_env env, napi_value job);
  size_t count() const { return offsets.size(); }
  // The bytes of one sample, or a fault where they lie outside the source.
  Fault at(size_t sample, std::span<const uint8_t>& out) const;
};

// The MemoryMap behind a MappedBytes object, or null with a pending exception.
std::shared_ptr<MemoryMap> mapOf(napi_env env, napi_value mapped);

}  // namespace headrace
