#include "uplink.hpp"

namespace bedside {
namespace {

constexpr int32_t kOneBatch = 1000;
constexpr int32_t kBurst = 4 * kOneBatch;
constexpr uint32_t kHalfOfSequences = 0x80000000U;
// Longer pauses earn no more than the burst; this keeps the product within 32 bits.
constexpr uint32_t kLongestPauseMs = 10'000;

bool is_missing(const Ack& ack, uint32_t sequence) {
    const uint32_t age = ack.cumulative - sequence;
    for (uint8_t i = 0; i < ack.missing_count; ++i) {
        if (ack.cumulative - ack.missing[i].first >= age &&
            age >= ack.cumulative - ack.missing[i].last) {
            return true;
        }
    }
    return false;
}

}  // namespace

Uplink::Uplink(Store& store, InFlight* in_flight, size_t in_flight_capacity, Settings settings)
    : store_(store),
      in_flight_(in_flight),
      in_flight_capacity_(in_flight_capacity),
      settings_(settings),
      next_sequence_(settings.first_sequence),
      allowance_milli_(kBurst) {}

bool Uplink::keep(const Cut& cut, int64_t wall_us, uint32_t rate_mhz, uint32_t nv_per_lsb,
                  uint32_t sampled_ms) {
    if (store_.full()) {
        drop_oldest();
    }
    const unsigned synced = wall_us != 0 ? flag::kClockSynced : 0U;
    BatchHeader header{};
    header.flags = static_cast<uint16_t>(cut.flags | synced);
    header.count = cut.count;
    header.boot_id = settings_.boot_id;
    header.sequence = next_sequence_;
    header.first_sample = cut.first_sample;
    header.wall_us = wall_us;
    header.rate_mhz = rate_mhz;
    header.nv_per_lsb = nv_per_lsb;
    const Store::Index index = store_.append();
    const size_t size =
        encode_batch(header, cut.samples, store_.payload(index), store_.payload_capacity());
    if (size == 0) {
        store_.remove(index);
        return false;
    }
    Store::Slot& slot = store_.slot(index);
    slot.size = static_cast<uint16_t>(size);
    slot.sampled_ms = sampled_ms;
    slot.state = Store::State::kLive;
    if (first_live_ == Store::kNone) {
        first_live_ = index;
    }
    ++next_sequence_;
    if (kept_ < kHalfOfSequences) {
        ++kept_;
    }
    return true;
}

void Uplink::begin_round(uint32_t now_ms) {
    if (any_round_) {
        uint32_t pause_ms = now_ms - round_ms_;
        if (pause_ms > kLongestPauseMs) {
            pause_ms = kLongestPauseMs;
        }
        allowance_milli_ += static_cast<int32_t>(pause_ms) * settings_.resend_per_s;
        if (allowance_milli_ > kBurst) {
            allowance_milli_ = kBurst;
        }
    }
    any_round_ = true;
    round_ms_ = now_ms;
    while (first_live_ != Store::kNone && age_ms(first_live_, now_ms) > kReplayedAfterMs) {
        want(first_live_);
        first_live_ = store_.slot(first_live_).next;
    }
    repeat_newest(now_ms);
}

void Uplink::repeat_newest(uint32_t now_ms) {
    const bool at_rest = first_live_ == Store::kNone && wanted_count_ == 0 && in_flight_count_ == 0;
    if (!at_rest || store_.count() == 0 || age_ms(store_.newest(), now_ms) <= kRepeatedAfterMs ||
        (any_repeated_ && now_ms - repeated_ms_ <= kRepeatedAfterMs)) {
        return;
    }
    any_repeated_ = true;
    repeated_ms_ = now_ms;
    want(store_.newest());
}

bool Uplink::next(Outgoing& outgoing) {
    if (in_flight_count_ == in_flight_capacity_) {
        return false;
    }
    if (first_live_ != Store::kNone) {
        const Store::Index index = first_live_;
        first_live_ = store_.slot(index).next;
        allowance_milli_ -= kOneBatch;
        if (allowance_milli_ < -kBurst) {
            allowance_milli_ = -kBurst;
        }
        give(index, outgoing);
        return true;
    }
    if (wanted_count_ == 0 || allowance_milli_ < kOneBatch) {
        return false;
    }
    Store::Index index = store_.oldest();
    while (store_.slot(index).state != Store::State::kWanted) {
        index = store_.slot(index).next;
    }
    --wanted_count_;
    allowance_milli_ -= kOneBatch;
    give(index, outgoing);
    return true;
}

void Uplink::give(Store::Index index, Outgoing& outgoing) {
    Store::Slot& slot = store_.slot(index);
    slot.state = Store::State::kSent;
    refresh_batch(store_.payload(index), slot.size, age_ms(index, round_ms_) > kReplayedAfterMs,
                  dropped_, sequence_of(store_.payload(store_.oldest())));
    outgoing = {index, sequence_of(store_.payload(index)), store_.payload(index), slot.size};
}

void Uplink::sent(const Outgoing& outgoing, int32_t token) {
    store_.slot(outgoing.slot).state = Store::State::kInFlight;
    in_flight_[in_flight_count_] = {token, outgoing.sequence, outgoing.slot};
    ++in_flight_count_;
}

void Uplink::not_sent(const Outgoing& outgoing) {
    want(outgoing.slot);
}

void Uplink::published(int32_t token) {
    size_t at = 0;
    if (find(token, at)) {
        if (holds(in_flight_[at])) {
            store_.slot(in_flight_[at].slot).state = Store::State::kSent;
        }
        forget(at);
    }
}

void Uplink::expired(int32_t token) {
    size_t at = 0;
    if (find(token, at)) {
        if (holds(in_flight_[at])) {
            want(in_flight_[at].slot);
        }
        forget(at);
    }
}

void Uplink::disconnected() {
    for (size_t at = 0; at < in_flight_count_; ++at) {
        if (holds(in_flight_[at])) {
            want(in_flight_[at].slot);
        }
    }
    in_flight_count_ = 0;
}

void Uplink::acknowledged(const Ack& ack) {
    const uint32_t ahead = next_sequence_ - 1 - ack.cumulative;
    if (ack.boot_id != settings_.boot_id || ahead >= kept_) {
        return;
    }
    Store::Index index = store_.oldest();
    while (index != Store::kNone) {
        Store::Slot& slot = store_.slot(index);
        const uint32_t sequence = sequence_of(store_.payload(index));
        if (ack.cumulative - sequence >= kHalfOfSequences) {
            break;  // after the cumulative number
        }
        const Store::Index following = slot.next;
        if (is_missing(ack, sequence)) {
            if (slot.state == Store::State::kSent) {
                want(index);
            }
        } else {
            if (slot.state == Store::State::kWanted) {
                --wanted_count_;
            }
            if (index == first_live_) {
                first_live_ = following;
            }
            store_.remove(index);
        }
        index = following;
    }
}

uint32_t Uplink::backlog_ms(uint32_t now_ms) const {
    return store_.count() == 0 ? 0 : age_ms(store_.oldest(), now_ms);
}

uint32_t Uplink::age_ms(Store::Index index, uint32_t now_ms) const {
    const uint32_t age = now_ms - store_.slot(index).sampled_ms;
    // A batch that was kept while a round was being sent is newer than the round.
    return age >= kHalfOfSequences ? 0 : age;
}

bool Uplink::find(int32_t token, size_t& at) const {
    for (at = 0; at < in_flight_count_; ++at) {
        if (in_flight_[at].token == token) {
            return true;
        }
    }
    return false;
}

void Uplink::forget(size_t at) {
    --in_flight_count_;
    in_flight_[at] = in_flight_[in_flight_count_];
}

bool Uplink::holds(const InFlight& entry) const {
    // The slot may have been freed since, or hold another batch that is in flight itself.
    return store_.slot(entry.slot).state == Store::State::kInFlight &&
           sequence_of(store_.payload(entry.slot)) == entry.sequence;
}

void Uplink::want(Store::Index index) {
    store_.slot(index).state = Store::State::kWanted;
    ++wanted_count_;
}

void Uplink::drop_oldest() {
    const Store::Index oldest = store_.oldest();
    if (store_.slot(oldest).state == Store::State::kWanted) {
        --wanted_count_;
    }
    if (oldest == first_live_) {
        first_live_ = store_.slot(oldest).next;
    }
    store_.remove(oldest);
    ++dropped_;
}

}  // namespace bedside
