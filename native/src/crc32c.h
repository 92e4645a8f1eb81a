// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected; RFC 3720 appendix B.4), by the processor's instruction where it has one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {
uint32_t crc32c(const uint8_t* data, size_t size, uint32_t initial = 0);
}
