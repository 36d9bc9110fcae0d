#pragma once

#include <stddef.h>
#include <stdint.h>

// A test framework small enough for a chip without an operating system: TEST("behaviour") { … }
// with CHECK and CHECK_EQUAL, in a program that ends with the number of tests that failed.

namespace check {

struct Test {
    const char* name;
    void (*run)();
    Test* next;
    Test(const char* named, void (*runs)());
};

void failed(const char* file, int line, const char* what);
void failed_equal(const char* file, int line, const char* what, int64_t actual, int64_t expected);

/// Runs every test; returns how many failed.
int run_all();

/// Writes to wherever this program's output goes; each platform has its own.
void write(const char* text, size_t size);

}  // namespace check

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN2(a, b)
#define TEST(name) TEST_OF_ID(name, CHECK_JOIN(test_, __LINE__))
#define TEST_OF_ID(name, id)                         \
    static void id();                                \
    static check::Test CHECK_JOIN(id, _)(name, &id); \
    static void id()
#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            check::failed(__FILE__, __LINE__, #condition); \
        }                                                  \
    } while (false)
#define CHECK_EQUAL(actual, expected)                                                       \
    do {                                                                                    \
        const auto check_actual = static_cast<int64_t>(actual);                             \
        const auto check_expected = static_cast<int64_t>(expected);                         \
        if (check_actual != check_expected) {                                               \
            check::failed_equal(__FILE__, __LINE__, #actual, check_actual, check_expected); \
        }                                                                                   \
    } while (false)
