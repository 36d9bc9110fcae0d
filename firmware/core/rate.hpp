#pragma once

#include <stdint.h>

namespace bedside {

/// The sampling rate as measured against wall time: the samples of half an hour by its seconds.
///
/// With SNTP's 10 ms at either end that is good to 11 ppm, 3 mHz at 250 Hz. A measurement that lies
/// more than 0.5 % off the nominal rate, which no crystal does, was a step of the wall clock.
class RateMeter {
  public:
    static constexpr int64_t kSpanUs = 1'800'000'000;

    explicit RateMeter(uint32_t nominal_mhz) : nominal_mhz_(nominal_mhz), rate_mhz_(nominal_mhz) {}

    /// The sample with this index was taken at this Unix time, 0 while the clock is not synced.
    void anchor(uint64_t sample, int64_t wall_us);

    uint32_t rate_mhz() const { return rate_mhz_; }

  private:
    uint32_t nominal_mhz_;
    uint32_t rate_mhz_;
    uint64_t first_sample_ = 0;
    int64_t first_wall_us_ = 0;
};

}  // namespace bedside
