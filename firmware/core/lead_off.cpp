#include "lead_off.hpp"

#include "wire.hpp"

namespace bedside {

void LeadOff::Pin::step(bool high) {
    disagreeing = high == off ? uint16_t{0} : static_cast<uint16_t>(disagreeing + 1);
    if (disagreeing >= (off ? kOnAfterSamples : kOffAfterSamples)) {
        off = high;
        disagreeing = 0;
    }
}

uint16_t LeadOff::step(bool plus_high, bool minus_high, bool saturated) {
    const bool was_off = plus_.off || minus_.off;
    plus_.step(plus_high);
    minus_.step(minus_high);
    const bool is_off = plus_.off || minus_.off;
    if (is_off) {
        settling_left_ = 0;
    } else if (was_off) {
        settling_left_ = kSettlingSamples;
    }
    if (saturated) {
        saturated_left_ = kSaturationHoldSamples;
    }
    unsigned flags = 0;
    if (plus_.off) {
        flags |= flag::kLeadOffPlus;
    }
    if (minus_.off) {
        flags |= flag::kLeadOffMinus;
    }
    if (settling_left_ > 0) {
        --settling_left_;
        flags |= flag::kSettling;
    }
    if (saturated_left_ > 0) {
        --saturated_left_;
        flags |= flag::kSaturated;
    }
    return static_cast<uint16_t>(flags);
}

void LeadOff::shut_down() {
    plus_ = {true, 0};
    minus_ = {true, 0};
}

}  // namespace bedside
