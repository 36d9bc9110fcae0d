#include "decimator.hpp"

#include <string.h>

namespace bedside {
namespace {

// scipy.signal.firwin(80, 110, window=("kaiser", 8.0), fs=2000) in Q15, the middle adjusted so that
// the sum is 32768; symmetric, the first half.
constexpr int16_t kHalf[Decimator::kTaps / 2] = {
    1,    1,    1,    0,   -2,  -4,   -8,   -13,  -18,  -21,  -21,  -16,  -4,   15,
    41,   70,   100,  123, 134, 124,  89,   26,   -64,  -176, -296, -408, -492, -525,
    -485, -355, -124, 209, 634, 1131, 1668, 2207, 2707, 3125, 3427, 3583};

constexpr int32_t sum_of_half() {
    int32_t sum = 0;
    for (int16_t tap : kHalf) {
        sum += tap;
    }
    return sum;
}

static_assert(2 * sum_of_half() == 32768, "the gain at 0 Hz is 1");

}  // namespace

bool Decimator::push(int16_t input, int16_t& output) {
    past_[position_] = input;
    position_ = static_cast<uint8_t>(position_ + 1 == kTaps ? 0 : position_ + 1);
    phase_ = static_cast<uint8_t>(phase_ + 1);
    if (phase_ < kFactor) {
        return false;
    }
    phase_ = 0;
    // The taps' absolute sum is 1.37 × 2^15, so that no input overflows 32 bits.
    int32_t sum = 1 << 14;
    int oldest = position_;
    int newest = position_ == 0 ? kTaps - 1 : position_ - 1;
    for (int tap = 0; tap < kTaps / 2; ++tap) {
        sum += kHalf[tap] * (past_[oldest] + past_[newest]);
        oldest = oldest + 1 == kTaps ? 0 : oldest + 1;
        newest = newest == 0 ? kTaps - 1 : newest - 1;
    }
    const int32_t rounded = sum >> 15;
    output = static_cast<int16_t>(rounded > INT16_MAX   ? INT16_MAX
                                  : rounded < INT16_MIN ? INT16_MIN
                                                        : rounded);
    return true;
}

void Decimator::restart() {
    memset(past_, 0, sizeof past_);
    position_ = 0;
    phase_ = 0;
}

}  // namespace bedside
