#include "check.hpp"

#include <string.h>

#include "../core/text.hpp"

namespace check {
namespace {

Test* first_test = nullptr;
bool present_failed = false;

void say(const char* text) {
    write(text, strlen(text));
}

void say_number(int64_t number) {
    char digits[24];
    bedside::Text text(digits, sizeof digits);
    const bool wide = number > INT32_MAX || number < INT32_MIN;
    if (wide) {
        text.add(static_cast<int32_t>(number >> 32)).add("·2^32+");
        text.add(static_cast<uint32_t>(number));
    } else {
        text.add(static_cast<int32_t>(number));
    }
    say(digits);
}

void say_place(const char* file, int line, const char* what) {
    present_failed = true;
    say("  ");
    say(file);
    say(":");
    say_number(line);
    say(": ");
    say(what);
}

}  // namespace

Test::Test(const char* named, void (*runs)()) : name(named), run(runs), next(first_test) {
    first_test = this;
}

void failed(const char* file, int line, const char* what) {
    say_place(file, line, what);
    say(" does not hold\n");
}

void failed_equal(const char* file, int line, const char* what, int64_t actual, int64_t expected) {
    say_place(file, line, what);
    say(" is ");
    say_number(actual);
    say(", not ");
    say_number(expected);
    say("\n");
}

int run_all() {
    int failures = 0;
    int count = 0;
    for (const Test* test = first_test; test != nullptr; test = test->next) {
        present_failed = false;
        test->run();
        ++count;
        if (present_failed) {
            ++failures;
            say("FAILED ");
            say(test->name);
            say("\n");
        }
    }
    say_number(count);
    say(" tests, ");
    say_number(failures);
    say(" failed\n");
    return count == 0 ? 1 : failures;
}

}  // namespace check
