#include <stdio.h>

#include "../check.hpp"

void check::write(const char* text, size_t size) {
    fwrite(text, 1, size, stdout);
}

int main() {
    return check::run_all();
}
