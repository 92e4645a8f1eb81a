// CRC-32 (polynomial 0x04C11DB7, reflected; ISO-HDLC, as in zip and gzip), by carry-less multiplication where the processor
// has it: several times as fast as zlib's.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {
uint32_t crc32(const uint8_t* data, size_t size, uint32_t initial = 0);
}
