#include "rate.hpp"

namespace bedside {

void RateMeter::anchor(uint64_t sample, int64_t wall_us) {
    if (wall_us == 0) {
        return;
    }
    const int64_t span_us = wall_us - first_wall_us_;
    if (first_wall_us_ != 0 && span_us >= 0 && span_us < kSpanUs) {
        return;
    }
    if (first_wall_us_ != 0 && span_us >= 0) {
        const uint64_t samples = sample - first_sample_;
        const uint64_t measured_mhz = samples * 1'000'000'000 / static_cast<uint64_t>(span_us);
        const uint64_t off_mhz =
            measured_mhz > nominal_mhz_ ? measured_mhz - nominal_mhz_ : nominal_mhz_ - measured_mhz;
        if (off_mhz * 200 <= nominal_mhz_) {
            rate_mhz_ = static_cast<uint32_t>(measured_mhz);
        }
    }
    first_sample_ = sample;
    first_wall_us_ = wall_us;
}

}  // namespace bedside
