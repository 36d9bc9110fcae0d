#pragma once

#include <stdint.h>

#include "batcher.hpp"
#include "calibration.hpp"
#include "decimator.hpp"
#include "lead_off.hpp"

namespace bedside {

/// One reading at 2 kHz.
struct Reading {
    int raw;  ///< 12 bits
    bool plus_high;
    bool minus_high;
};

/// Raw readings on a timer's ticks in, batches out. The timer is the time base: a tick that nobody
/// answered still counts, so that a sample's index is always its time.
class Acquisition {
  public:
    /// The ADC's range in raw codes, beyond which it is not linear.
    struct Range {
        int lowest_raw;
        int highest_raw;
    };

    /// Up to this many unanswered ticks, 4 ms, the next reading stands in for them; more are a gap.
    static constexpr uint32_t kBridgedTicks = 8;
    static constexpr int64_t kTickUs = 500;
    /// The decimator's delay.
    static constexpr int64_t kDelayUs = 19'750;

    Acquisition(const Calibration& calibration, Range range, Batcher& batcher);

    /// `elapsed` counts the ticks since the last call, this one included: 1 when none was missed.
    /// `at_us` is the monotonic time of this tick.
    void tick(uint32_t elapsed, const Reading& reading, int64_t at_us);

    /// The front end is switched off: what comes from now on is flagged until it has settled again.
    void shut_down();

    /// Ticks that nobody answered since boot.
    uint32_t missed_ticks() const { return missed_ticks_; }

  private:
    void take(const Reading& reading, int64_t at_us);
    void skip(uint64_t ticks);

    const Calibration& calibration_;
    Range range_;
    Batcher& batcher_;
    Decimator decimator_;
    LeadOff lead_off_;
    uint64_t next_sample_ = 0;
    uint32_t missed_ticks_ = 0;
    uint8_t phase_ = 0;  ///< ticks since the last output
    uint8_t ignored_ticks_ = 0;
    uint8_t warm_up_left_ = Decimator::kWarmUpOutputs;
    bool plus_high_ = false;
    bool minus_high_ = false;
    bool saturated_ = false;
};

}  // namespace bedside
