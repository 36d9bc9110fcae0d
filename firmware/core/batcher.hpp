#pragma once

#include <stdint.h>

namespace bedside {

constexpr uint16_t kBatchSamples = 50;

/// The samples of one batch, in the state in which the sampler hands them over.
struct Cut {
    uint64_t first_sample;  ///< index since boot
    int64_t first_us;       ///< monotonic time of the first sample
    int64_t last_us;        ///< and of the last one
    uint16_t flags;
    uint16_t count;
    int16_t samples[kBatchSamples];
};

/// Cuts a stream of samples into batches: full ones, closed early where the flags change or samples
/// lack, so that one set of flags is true for every sample of a batch.
class Batcher {
  public:
    using Take = void (*)(void* context, const Cut& cut);

    /// `take` is called from within `push` and `flush`. `length` is 1 to kBatchSamples.
    Batcher(Take take, void* context, uint16_t length = kBatchSamples);

    void push(uint64_t index, int16_t sample, uint16_t flags, int64_t at_us);

    /// Hands over what has been gathered.
    void flush();

  private:
    Take take_;
    void* context_;
    uint16_t length_;
    Cut cut_{};
};

}  // namespace bedside
