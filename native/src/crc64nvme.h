// CRC-64/NVME (polynomial 0xAD93D23594C93659, reflected; NVM Express command set specification), by carry-less
// multiplication where the processor has it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {
uint64_t crc64nvme(const uint8_t* data, size_t size, uint64_t initial = 0);
}
