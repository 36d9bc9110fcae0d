#include "crc32.hpp"

namespace bedside {
namespace {

struct Table {
    uint32_t of[256];
};

constexpr Table make_table() {
    Table table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
        }
        table.of[byte] = value;
    }
    return table;
}

constexpr Table kTable = make_table();

}  // namespace

uint32_t crc32(const uint8_t* bytes, size_t size) {
    uint32_t value = 0xFFFFFFFFU;
    for (const uint8_t* end = bytes + size; bytes != end; ++bytes) {
        value = (value >> 8) ^ kTable.of[(value ^ *bytes) & 0xFFU];
    }
    return ~value;
}

}  // namespace bedside
