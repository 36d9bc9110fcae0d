#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire.hpp"

namespace bedside {

/// Encoded batches in the order of their sequence numbers, in memory that the caller provides.
///
/// A slot is freed on its own, in any order: two linked lists through the slots, one of those in
/// use and one of the free ones, named by index.
class Store {
  public:
    using Index = uint16_t;
    static constexpr Index kNone = UINT16_MAX;

    enum class State : uint8_t {
        kFree,
        kLive,      ///< never sent
        kWanted,    ///< to be sent again, or too late to be live
        kInFlight,  ///< with the MQTT client, no PUBACK yet
        kSent,      ///< the broker has it, the bedside may not
    };

    struct Slot {
        uint32_t sampled_ms;  ///< when its last sample was taken
        Index next;
        Index previous;
        uint16_t size;
        State state;
    };

    /// Of batches of up to `samples` samples. `words` must outlive the store.
    Store(uint32_t* words, size_t word_count, uint16_t samples);

    size_t capacity() const { return capacity_; }
    size_t count() const { return count_; }
    bool full() const { return count_ == capacity_; }
    Index oldest() const { return oldest_; }
    Index newest() const { return newest_; }

    Slot& slot(Index index) { return *reinterpret_cast<Slot*>(words_ + index * stride_); }
    const Slot& slot(Index index) const {
        return *reinterpret_cast<const Slot*>(words_ + index * stride_);
    }
    uint8_t* payload(Index index) { return reinterpret_cast<uint8_t*>(&slot(index) + 1); }
    const uint8_t* payload(Index index) const {
        return reinterpret_cast<const uint8_t*>(&slot(index) + 1);
    }
    size_t payload_capacity() const { return stride_ * sizeof(uint32_t) - sizeof(Slot); }

    /// A new slot after the newest. The store must not be full.
    Index append();

    /// Frees a slot in use.
    void remove(Index index);

    /// How many words hold this many batches.
    static size_t words_for(size_t batches, uint16_t samples);

  private:
    uint32_t* words_;
    size_t stride_;
    size_t capacity_;
    size_t count_ = 0;
    Index oldest_ = kNone;
    Index newest_ = kNone;
    Index free_ = kNone;
};

}  // namespace bedside
