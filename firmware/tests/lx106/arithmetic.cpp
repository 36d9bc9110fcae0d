#include <stdint.h>

// The LX106 has no divider, and its libgcc neither division nor 64-bit products. (An ESP32's LX6
// has the one, its libgcc the other.)

namespace {

template <typename Unsigned>
Unsigned divide(Unsigned dividend, Unsigned divisor, Unsigned* remainder) {
    Unsigned quotient = 0;
    Unsigned rest = 0;
    for (int bit = static_cast<int>(8 * sizeof dividend) - 1; bit >= 0; --bit) {
        rest = (rest << 1) | ((dividend >> bit) & 1U);
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= Unsigned{1} << bit;
        }
    }
    *remainder = rest;
    return quotient;
}

template <typename Signed, typename Unsigned>
Signed divide_signed(Signed dividend, Signed divisor, Signed* remainder) {
    const bool negative = dividend < 0;
    const auto magnitude = [](Signed value) {
        return value < 0 ? Unsigned{0} - static_cast<Unsigned>(value)
                         : static_cast<Unsigned>(value);
    };
    Unsigned rest = 0;
    const Unsigned quotient = divide<Unsigned>(magnitude(dividend), magnitude(divisor), &rest);
    *remainder = static_cast<Signed>(negative ? Unsigned{0} - rest : rest);
    return static_cast<Signed>(negative != (divisor < 0) ? Unsigned{0} - quotient : quotient);
}

}  // namespace

extern "C" {

uint64_t __muldi3(uint64_t a, uint64_t b) {
    const auto low = static_cast<uint32_t>(a);
    const auto other_low = static_cast<uint32_t>(b);
    const uint32_t parts[2] = {low & 0xFFFFU, low >> 16};
    const uint32_t other[2] = {other_low & 0xFFFFU, other_low >> 16};
    uint64_t product = parts[0] * other[0];
    product += static_cast<uint64_t>(parts[0] * other[1]) << 16;
    product += static_cast<uint64_t>(parts[1] * other[0]) << 16;
    product += static_cast<uint64_t>(parts[1] * other[1]) << 32;
    const uint32_t high =
        static_cast<uint32_t>(a >> 32) * other_low + low * static_cast<uint32_t>(b >> 32);
    return product + (static_cast<uint64_t>(high) << 32);
}

uint32_t __udivsi3(uint32_t a, uint32_t b) {
    uint32_t rest = 0;
    return divide(a, b, &rest);
}

uint32_t __umodsi3(uint32_t a, uint32_t b) {
    uint32_t rest = 0;
    divide(a, b, &rest);
    return rest;
}

int32_t __divsi3(int32_t a, int32_t b) {
    int32_t rest = 0;
    return divide_signed<int32_t, uint32_t>(a, b, &rest);
}

int32_t __modsi3(int32_t a, int32_t b) {
    int32_t rest = 0;
    divide_signed<int32_t, uint32_t>(a, b, &rest);
    return rest;
}

uint64_t __udivdi3(uint64_t a, uint64_t b) {
    uint64_t rest = 0;
    return divide(a, b, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b) {
    uint64_t rest = 0;
    divide(a, b, &rest);
    return rest;
}

int64_t __divdi3(int64_t a, int64_t b) {
    int64_t rest = 0;
    return divide_signed<int64_t, uint64_t>(a, b, &rest);
}

}  // extern "C"
