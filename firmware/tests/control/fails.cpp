#include "../check.hpp"

// Linked to the tests it must make them fail: what shows that a failure comes through.
TEST("a control that cannot hold") {
    CHECK_EQUAL(1 + 1, 3);
}
