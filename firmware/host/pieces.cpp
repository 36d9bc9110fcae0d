#include "pieces.hpp"

#include "../core/bytes.hpp"

namespace bedside::host {

Pieces::Pieces(const std::string& path)
    : file_(path == "-" ? stdin : std::fopen(path.c_str(), "rb")) {}

Pieces::~Pieces() {
    if (file_ != nullptr && file_ != stdin) {
        std::fclose(file_);
    }
}

bool Pieces::next(Piece& piece) {
    std::uint8_t header[8];
    if (std::fread(header, sizeof header, 1, file_) != 1) {
        return false;
    }
    const std::uint16_t count = get_u16(header);
    piece.flags = get_u16(header + 2);
    piece.skipped = get_u32(header + 4);
    std::vector<std::uint8_t> bytes(std::size_t{2} * count);
    if (count > 0 && std::fread(bytes.data(), bytes.size(), 1, file_) != 1) {
        return false;
    }
    piece.samples.clear();
    for (std::size_t i = 0; i < count; ++i) {
        piece.samples.push_back(static_cast<std::int16_t>(get_u16(&bytes[2 * i])));
    }
    return true;
}

}  // namespace bedside::host
