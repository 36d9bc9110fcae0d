#pragma once

#include <stdint.h>

namespace bedside {

/// 8:1 decimation by an 80-tap linear-phase FIR low-pass, in Q15.
///
/// At 2 kHz in and 250 Hz out: within 0.1 dB up to 60 Hz, −3.5 dB at 100 Hz, and at least 71 dB
/// down from 190 Hz on, so that what folds onto 0 to 60 Hz is below the ADC's noise. An output's
/// delay is 39.5 input samples, 19.75 ms.
class Decimator {
  public:
    static constexpr int kFactor = 8;
    static constexpr int kTaps = 80;
    /// Outputs after a start or restart whose window reaches back before it.
    static constexpr int kWarmUpOutputs = kTaps / kFactor - 1;

    /// Takes one input; true when it completes an output, which `output` then has.
    bool push(int16_t input, int16_t& output);

    /// Forgets the past.
    void restart();

  private:
    int16_t past_[kTaps] = {};
    uint8_t position_ = 0;
    uint8_t phase_ = 0;
};

}  // namespace bedside
