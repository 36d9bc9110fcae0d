#include "facade.h"

#include <string.h>

#include "crc32.hpp"
#include "placement.hpp"
#include "uplink.hpp"
#include "wire.hpp"

namespace {

using bedside::Refusal;
using bedside::Store;
using bedside::Uplink;

const char* reason(Refusal refusal) {
    constexpr const char* kReasons[] = {"",      "magic", "version", "length", "encoding",
                                        "count", "crc",   "rate",    "scale",  "range"};
    return kReasons[static_cast<size_t>(refusal)];
}

bedside::Ack from_c(const bedside_ack& ack) {
    bedside::Ack converted{};
    converted.boot_id = ack.boot_id;
    converted.cumulative = ack.cumulative;
    converted.missing_count = ack.missing_count;
    for (size_t i = 0; i < bedside::kMaxMissingRanges; ++i) {
        converted.missing[i] = {ack.missing[i][0], ack.missing[i][1]};
    }
    return converted;
}

}  // namespace

struct bedside_uplink {
    bedside_uplink(uint32_t* words, size_t word_count, Uplink::InFlight* in_flight,
                   size_t in_flight_capacity, Uplink::Settings settings)
        : store(words, word_count, bedside::kBatchSamples),
          uplink(store, in_flight, in_flight_capacity, settings) {}

    Store store;
    Uplink uplink;
    Uplink::Outgoing given{};
};

extern "C" {

uint32_t bedside_crc32(const uint8_t* bytes, size_t size) {
    return bedside::crc32(bytes, size);
}

size_t bedside_encode_batch(const bedside_batch* batch, const int16_t* samples, uint8_t* out,
                            size_t capacity) {
    const bedside::BatchHeader header{
        batch->flags,   batch->count,    batch->boot_id,    batch->sequence, batch->first_sample,
        batch->wall_us, batch->rate_mhz, batch->nv_per_lsb, batch->dropped,  batch->lowest_held};
    return bedside::encode_batch(header, samples, out, capacity);
}

size_t bedside_encode_ack(const bedside_ack* ack, uint8_t* out, size_t capacity) {
    return bedside::encode_ack(from_c(*ack), out, capacity);
}

const char* bedside_decode_batch(const uint8_t* payload, size_t size, bedside_batch* batch,
                                 int16_t* samples) {
    bedside::BatchHeader header{};
    const Refusal refusal = bedside::decode_batch(payload, size, header, samples);
    if (refusal == Refusal::kNone) {
        *batch = {header.flags,        header.count,      header.boot_id,  header.sequence,
                  header.first_sample, header.wall_us,    header.rate_mhz, header.nv_per_lsb,
                  header.dropped,      header.lowest_held};
    }
    return reason(refusal);
}

const char* bedside_decode_ack(const uint8_t* payload, size_t size, bedside_ack* ack) {
    bedside::Ack read{};
    const Refusal refusal = bedside::decode_ack(payload, size, read);
    if (refusal == Refusal::kNone) {
        ack->boot_id = read.boot_id;
        ack->cumulative = read.cumulative;
        ack->missing_count = read.missing_count;
        for (size_t i = 0; i < read.missing_count; ++i) {
            ack->missing[i][0] = read.missing[i].first;
            ack->missing[i][1] = read.missing[i].last;
        }
    }
    return reason(refusal);
}

size_t bedside_uplink_bytes(size_t batches, size_t in_flight) {
    return sizeof(bedside_uplink) + in_flight * sizeof(Uplink::InFlight) +
           Store::words_for(batches, bedside::kBatchSamples) * sizeof(uint32_t);
}

bedside_uplink* bedside_uplink_start(void* memory, size_t batches, size_t in_flight,
                                     uint32_t boot_id, uint32_t first_sequence,
                                     uint16_t resend_per_s) {
    auto* entries = reinterpret_cast<Uplink::InFlight*>(static_cast<bedside_uplink*>(memory) + 1);
    auto* words = reinterpret_cast<uint32_t*>(entries + in_flight);
    return new (memory)
        bedside_uplink(words, Store::words_for(batches, bedside::kBatchSamples), entries, in_flight,
                       Uplink::Settings{boot_id, first_sequence, resend_per_s});
}

int bedside_uplink_keep(bedside_uplink* uplink, uint64_t first_sample, uint16_t flags,
                        uint16_t count, const int16_t* samples, int64_t wall_us, uint32_t rate_mhz,
                        uint32_t nv_per_lsb, uint32_t sampled_ms) {
    if (count > bedside::kBatchSamples) {
        return 0;
    }
    bedside::Cut cut{};
    cut.first_sample = first_sample;
    cut.flags = flags;
    cut.count = count;
    memcpy(cut.samples, samples, count * sizeof *samples);
    return uplink->uplink.keep(cut, wall_us, rate_mhz, nv_per_lsb, sampled_ms) ? 1 : 0;
}

void bedside_uplink_begin_round(bedside_uplink* uplink, uint32_t now_ms) {
    uplink->uplink.begin_round(now_ms);
}

size_t bedside_uplink_next(bedside_uplink* uplink, uint8_t* out, size_t capacity) {
    if (!uplink->uplink.next(uplink->given) || uplink->given.size > capacity) {
        return 0;
    }
    memcpy(out, uplink->given.payload, uplink->given.size);
    return uplink->given.size;
}

void bedside_uplink_answer(bedside_uplink* uplink, int32_t token) {
    if (token < 0) {
        uplink->uplink.not_sent(uplink->given);
    } else {
        uplink->uplink.sent(uplink->given, token);
    }
}

void bedside_uplink_published(bedside_uplink* uplink, int32_t token) {
    uplink->uplink.published(token);
}

void bedside_uplink_expired(bedside_uplink* uplink, int32_t token) {
    uplink->uplink.expired(token);
}

void bedside_uplink_disconnected(bedside_uplink* uplink) {
    uplink->uplink.disconnected();
}

void bedside_uplink_acknowledged(bedside_uplink* uplink, const bedside_ack* ack) {
    uplink->uplink.acknowledged(from_c(*ack));
}

size_t bedside_uplink_backlog(const bedside_uplink* uplink) {
    return uplink->uplink.backlog_batches();
}

uint32_t bedside_uplink_backlog_ms(const bedside_uplink* uplink, uint32_t now_ms) {
    return uplink->uplink.backlog_ms(now_ms);
}

uint32_t bedside_uplink_dropped(const bedside_uplink* uplink) {
    return uplink->uplink.dropped();
}

}  // extern "C"
