#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bedside {

/// CRC-32 as zlib computes it: reflected polynomial 0xEDB88320, start and end inverted.
uint32_t crc32(const uint8_t* bytes, size_t size);

}  // namespace bedside
