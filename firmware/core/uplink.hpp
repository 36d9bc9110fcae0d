#pragma once

#include <stddef.h>
#include <stdint.h>

#include "batcher.hpp"
#include "store.hpp"
#include "wire.hpp"

namespace bedside {

/// What a node keeps, sends and sends again, of one boot.
///
/// A batch is kept until the bedside acknowledges it: a PUBACK only says that the broker has it in
/// memory. Live batches leave first, then the others, oldest first, at a bounded rate. Time comes
/// in as milliseconds of a monotonic clock and may wrap; sequence numbers may wrap too.
class Uplink {
  public:
    /// A batch sent later than this after its sampling says so.
    static constexpr uint32_t kReplayedAfterMs = 2000;

    /// Where nothing newer was sampled and the newest batch is not acknowledged, it is sent again
    /// this often: the bedside cannot miss a batch of which it never heard a later one.
    static constexpr uint32_t kRepeatedAfterMs = 5000;

    /// A batch with the MQTT client. `slot` may since hold another batch.
    struct InFlight {
        int32_t token;
        uint32_t sequence;
        Store::Index slot;
    };

    struct Outgoing {
        Store::Index slot;
        uint32_t sequence;
        const uint8_t* payload;
        size_t size;
    };

    struct Settings {
        uint32_t boot_id;
        uint32_t first_sequence;
        uint16_t resend_per_s;
    };

    /// `in_flight` has room for the batches that may be with the MQTT client at once; no more are
    /// handed out. Both must outlive the uplink.
    Uplink(Store& store, InFlight* in_flight, size_t in_flight_capacity, Settings settings);

    /// Encodes and keeps a batch that was just sampled, dropping the oldest one if need be.
    /// `wall_us` is the Unix time of its first sample, or 0. False where it cannot be encoded.
    bool keep(const Cut& cut, int64_t wall_us, uint32_t rate_mhz, uint32_t nv_per_lsb,
              uint32_t sampled_ms);

    /// Begins a round of sending: `next` until it says false.
    void begin_round(uint32_t now_ms);

    /// The next batch that is due, over a connection that is up. Its payload stands, and `sent` or
    /// `not_sent` must answer it, before a batch is kept or an acknowledgement comes.
    bool next(Outgoing& outgoing);

    /// The MQTT client took it under this token.
    void sent(const Outgoing& outgoing, int32_t token);

    /// The MQTT client did not take it.
    void not_sent(const Outgoing& outgoing);

    /// The broker has what went under this token. Other publishes' tokens are ignored.
    void published(int32_t token);

    /// The MQTT client gave up on this token.
    void expired(int32_t token);

    /// The connection is gone, and with it what the client held: it is sent again over the next
    /// one. Not for a client that keeps its messages and sends them again itself.
    void disconnected();

    /// Frees what the bedside has on disk and sends again what it misses. An acknowledgement of
    /// another boot, or of what was never sent, changes nothing.
    void acknowledged(const Ack& ack);

    uint32_t boot_id() const { return settings_.boot_id; }
    uint32_t dropped() const { return dropped_; }
    size_t backlog_batches() const { return store_.count(); }
    size_t in_flight_batches() const { return in_flight_count_; }

    /// How old the oldest batch is that the bedside has not acknowledged, 0 without one.
    uint32_t backlog_ms(uint32_t now_ms) const;

  private:
    uint32_t age_ms(Store::Index index, uint32_t now_ms) const;
    bool find(int32_t token, size_t& at) const;
    void forget(size_t at);
    bool holds(const InFlight& entry) const;
    void want(Store::Index index);
    void repeat_newest(uint32_t now_ms);
    void give(Store::Index index, Outgoing& outgoing);
    void drop_oldest();

    Store& store_;
    InFlight* in_flight_;
    size_t in_flight_capacity_;
    size_t in_flight_count_ = 0;
    Settings settings_;
    uint32_t next_sequence_;
    uint32_t kept_ = 0;  ///< since boot, up to 2^31
    uint32_t dropped_ = 0;
    Store::Index first_live_ = Store::kNone;
    size_t wanted_count_ = 0;
    int32_t allowance_milli_;  ///< batches × 1000 that may leave now
    uint32_t round_ms_ = 0;
    uint32_t repeated_ms_ = 0;
    bool any_round_ = false;
    bool any_repeated_ = false;
};

}  // namespace bedside
