#pragma once

#include <stdint.h>

namespace bedside {

/// What the AD8232's LO+ and LO− pins and the ADC's range say of each sample at 250 Hz.
///
/// A pin counts as off after 20 ms and as on again after 100 ms; with the last electrode back, 2 s
/// of settling follow, as after a start, while the AD8232's fast restore and high-pass recover.
/// Saturation stays flagged for 200 ms, so that a clipped R wave does not cut the stream into
/// splinters.
class LeadOff {
  public:
    static constexpr uint16_t kOffAfterSamples = 5;
    static constexpr uint16_t kOnAfterSamples = 25;
    static constexpr uint16_t kSettlingSamples = 500;
    static constexpr uint16_t kSaturationHoldSamples = 50;

    /// The flags of the next sample.
    uint16_t step(bool plus_high, bool minus_high, bool saturated);

    /// Both electrodes count as off at once: the front end is shut down.
    void shut_down();

  private:
    struct Pin {
        bool off = false;
        uint16_t disagreeing = 0;
        void step(bool high);
    };
    Pin plus_;
    Pin minus_;
    uint16_t settling_left_ = kSettlingSamples;
    uint16_t saturated_left_ = 0;
};

}  // namespace bedside
