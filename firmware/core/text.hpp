#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bedside {

/// Text that grows in a buffer of the caller's and is always terminated. What does not fit is left
/// out, and `fits` says so.
class Text {
  public:
    Text(char* buffer, size_t capacity) : buffer_(buffer), capacity_(capacity) {
        buffer_[0] = '\0';
    }

    Text& add(const char* text);
    Text& add(uint32_t number);
    Text& add(int32_t number);

    size_t size() const { return size_; }
    bool fits() const { return fits_; }

  private:
    void put(char letter);

    char* buffer_;
    size_t capacity_;
    size_t size_ = 0;
    bool fits_ = true;
};

}  // namespace bedside
