#pragma once

#include <cstdint>

namespace shim {

/// Whether the calling thread is the sampler's.
bool on_sampler();

std::int64_t time_us();

}  // namespace shim
