#pragma once

#include <stdint.h>

namespace bedside {

/// Raw codes of a 12-bit ADC into electrode-referred steps of 100 nV.
///
/// A chip's own calibration speaks whole millivolts, which is 900 nV at the electrodes and too
/// coarse to look up afterwards. Each knot of this table is the mean of what the chip says of the
/// 64 codes around it, so its rounding averages out, and codes between knots are interpolated. A
/// converter's curve is not straight: samples are corrected first and averaged later.
class Calibration {
  public:
    static constexpr uint32_t kNvPerLsb = 100;
    static constexpr int kCodes = 4096;

    /// What the chip's calibration says of a raw code, in mV at its pin.
    using MillivoltsOf = int (*)(void* context, int raw);

    /// Asks about every code once. `bias_mv` is the front end's resting level at the pin and
    /// `gain_milli` its gain from electrodes to pin in thousandths, 1 or more.
    void build(MillivoltsOf millivolts_of, void* context, int bias_mv, int gain_milli);

    /// Steps of 100 nV, limited to int16. `raw` is taken modulo 4096.
    int16_t at(int raw) const;

  private:
    static constexpr int kStep = 64;
    static constexpr int kKnots = kCodes / kStep + 1;
    int16_t knots_[kKnots] = {};
};

}  // namespace bedside
