#include "acquisition.hpp"

namespace bedside {

Acquisition::Acquisition(const Calibration& calibration, Range range, Batcher& batcher)
    : calibration_(calibration), range_(range), batcher_(batcher) {}

void Acquisition::tick(uint32_t elapsed, const Reading& reading, int64_t at_us) {
    const uint32_t missed = elapsed - 1;
    missed_ticks_ += missed;
    if (missed > kBridgedTicks) {
        skip(missed);
    } else {
        for (uint32_t before = missed; before > 0; --before) {
            take(reading, at_us - kTickUs * before);
        }
    }
    take(reading, at_us);
}

void Acquisition::take(const Reading& reading, int64_t at_us) {
    plus_high_ = plus_high_ || reading.plus_high;
    minus_high_ = minus_high_ || reading.minus_high;
    saturated_ = saturated_ || reading.raw < range_.lowest_raw || reading.raw > range_.highest_raw;
    if (ignored_ticks_ > 0) {
        // Up to the end of the output period in which the gap ended, so that outputs stay on the
        // grid of eight ticks.
        --ignored_ticks_;
        if (ignored_ticks_ == 0) {
            ++next_sample_;
        }
        return;
    }
    int16_t sample = 0;
    if (!decimator_.push(calibration_.at(reading.raw), sample)) {
        phase_ = static_cast<uint8_t>(phase_ + 1);
        return;
    }
    phase_ = 0;
    const uint16_t flags = lead_off_.step(plus_high_, minus_high_, saturated_);
    plus_high_ = minus_high_ = saturated_ = false;
    const uint64_t index = next_sample_++;
    if (warm_up_left_ > 0) {
        --warm_up_left_;
        return;
    }
    batcher_.push(index, sample, flags, at_us - kDelayUs);
}

void Acquisition::skip(uint64_t ticks) {
    // `phase_` ticks of the present output period are in, or all but `ignored_ticks_` of it.
    const uint64_t into =
        ignored_ticks_ > 0 ? uint64_t{Decimator::kFactor} - ignored_ticks_ : phase_;
    const uint64_t now = into + ticks;
    next_sample_ += now / Decimator::kFactor;
    const auto rest = static_cast<uint8_t>(now % Decimator::kFactor);
    ignored_ticks_ = static_cast<uint8_t>(rest > 0 ? Decimator::kFactor - rest : 0);
    phase_ = 0;
    warm_up_left_ = Decimator::kWarmUpOutputs;
    decimator_.restart();
}

void Acquisition::shut_down() {
    lead_off_.shut_down();
}

}  // namespace bedside
