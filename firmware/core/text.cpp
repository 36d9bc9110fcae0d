#include "text.hpp"

namespace bedside {

Text& Text::add(const char* text) {
    for (; *text != '\0'; ++text) {
        put(*text);
    }
    return *this;
}

Text& Text::add(uint32_t number) {
    char digits[10];
    int count = 0;
    do {
        digits[count] = static_cast<char>('0' + number % 10);
        ++count;
        number /= 10;
    } while (number > 0);
    while (count > 0) {
        --count;
        put(digits[count]);
    }
    return *this;
}

Text& Text::add(int32_t number) {
    if (number < 0) {
        put('-');
        return add(0U - static_cast<uint32_t>(number));
    }
    return add(static_cast<uint32_t>(number));
}

void Text::put(char letter) {
    if (size_ + 1 >= capacity_) {
        fits_ = false;
        return;
    }
    buffer_[size_] = letter;
    ++size_;
    buffer_[size_] = '\0';
}

}  // namespace bedside
