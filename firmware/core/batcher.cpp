#include "batcher.hpp"

namespace bedside {

Batcher::Batcher(Take take, void* context, uint16_t length)
    : take_(take), context_(context), length_(length) {}

void Batcher::push(uint64_t index, int16_t sample, uint16_t flags, int64_t at_us) {
    if (cut_.count > 0 && (flags != cut_.flags || index != cut_.first_sample + cut_.count)) {
        flush();
    }
    if (cut_.count == 0) {
        cut_.first_sample = index;
        cut_.first_us = at_us;
        cut_.flags = flags;
    }
    cut_.last_us = at_us;
    cut_.samples[cut_.count] = sample;
    ++cut_.count;
    if (cut_.count == length_) {
        flush();
    }
}

void Batcher::flush() {
    if (cut_.count > 0) {
        take_(context_, cut_);
        cut_.count = 0;
    }
}

}  // namespace bedside
