#include "calibration.hpp"

namespace bedside {
namespace {

int16_t limited(int64_t value) {
    if (value > INT16_MAX) {
        return INT16_MAX;
    }
    return static_cast<int16_t>(value < INT16_MIN ? INT16_MIN : value);
}

}  // namespace

void Calibration::build(MillivoltsOf millivolts_of, void* context, int bias_mv, int gain_milli) {
    // The window around a knot is symmetric, half the weight on either end: on a straight stretch
    // its mean is the knot's own value.
    constexpr int kHalf = kStep / 2;
    constexpr int kWeights = 2 * kStep;
    int64_t exact[kKnots] = {};
    for (int knot = 1; knot < kKnots - 1; ++knot) {
        int32_t weighted_mv = 0;
        for (int offset = -kHalf; offset <= kHalf; ++offset) {
            const int weight = offset == -kHalf || offset == kHalf ? 1 : 2;
            weighted_mv += weight * (millivolts_of(context, knot * kStep + offset) - bias_mv);
        }
        // mV at the pin → 100 nV at the electrodes: × 10 000 × 1000 / gain_milli.
        exact[knot] = static_cast<int64_t>(weighted_mv) * 10'000'000 / kWeights / gain_milli;
    }
    // No whole window fits around the outermost knots; both lie where the ADC is saturated.
    exact[0] = 2 * exact[1] - exact[2];
    exact[kKnots - 1] = 2 * exact[kKnots - 2] - exact[kKnots - 3];
    for (int knot = 0; knot < kKnots; ++knot) {
        knots_[knot] = limited(exact[knot]);
    }
}

int16_t Calibration::at(int raw) const {
    const int code = raw & (kCodes - 1);
    const int32_t low = knots_[code / kStep];
    const int32_t high = knots_[code / kStep + 1];
    return static_cast<int16_t>(low + (high - low) * (code % kStep) / kStep);
}

}  // namespace bedside
