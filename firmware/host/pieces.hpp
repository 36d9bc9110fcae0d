#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace bedside::host {

/// Consecutive samples with one set of flags, after `skipped` samples that nobody has.
struct Piece {
    std::uint16_t flags = 0;
    std::uint32_t skipped = 0;
    std::vector<std::int16_t> samples;
};

/// Reads pieces from a file or from standard input.
class Pieces {
  public:
    explicit Pieces(const std::string& path);
    ~Pieces();
    Pieces(const Pieces&) = delete;
    Pieces& operator=(const Pieces&) = delete;

    bool is_open() const { return file_ != nullptr; }

    /// False at the end, or where the input stops in the middle of a piece.
    bool next(Piece& piece);

  private:
    std::FILE* file_;
};

}  // namespace bedside::host
