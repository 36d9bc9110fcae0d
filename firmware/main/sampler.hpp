#pragma once

#include <stdint.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"

namespace bedside::node {

/// Starts sampling at 2 kHz, for ever; `cuts` receives a `Cut` for every batch. The task waits for
/// nothing but its timer: a full queue costs the batch and is counted.
void start_sampler(QueueHandle_t cuts);

/// Switches the front end off and on again. While it is off, sampling goes on, flagged.
void set_idle(bool idle);

struct SamplerCounts {
    uint32_t missed_ticks;     ///< answered too late, bridged or left as a gap
    uint32_t failed_readings;  ///< the ADC did not answer; counted as missed ticks too
    uint32_t lost_cuts;        ///< the queue was full
};
SamplerCounts sampler_counts();

}  // namespace bedside::node
