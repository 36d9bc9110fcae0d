#include <string.h>

#include "../core/facade.h"
#include "../core/wire.hpp"
#include "check.hpp"

namespace {

constexpr size_t kBatches = 3;
constexpr size_t kInFlight = 2;

/// An uplink through the C interface, with a batch of one sample at hand.
struct Bench {
    uint64_t memory[128];
    bedside_uplink* uplink;
    uint8_t out[bedside::kMaxBatchBytes];
    Bench() {
        CHECK(bedside_uplink_bytes(kBatches, kInFlight) <= sizeof memory);
        uplink = bedside_uplink_start(memory, kBatches, kInFlight, 7, 0, 20);
    }
    int keep(uint16_t count, uint32_t sampled_ms) {
        const int16_t samples[50] = {42};
        return bedside_uplink_keep(uplink, 0, 0, count, samples, 0, 250'000, 100, sampled_ms);
    }
};

}  // namespace

TEST("the C interface encodes and decodes like the core") {
    const bedside_batch batch = {4, 2, 7, 9, 450, 1, 250'000, 100, 0, 8};
    const int16_t samples[2] = {-3, 3};
    uint8_t payload[64];
    const size_t size = bedside_encode_batch(&batch, samples, payload, sizeof payload);
    CHECK_EQUAL(size, 60);
    bedside_batch read = {};
    int16_t read_samples[250];
    CHECK_EQUAL(strcmp(bedside_decode_batch(payload, size, &read, read_samples), ""), 0);
    CHECK_EQUAL(read.sequence, 9);
    CHECK_EQUAL(read_samples[0], -3);
    payload[20] ^= 1;
    CHECK_EQUAL(strcmp(bedside_decode_batch(payload, size, &read, read_samples), "crc"), 0);
    CHECK_EQUAL(bedside_crc32(reinterpret_cast<const uint8_t*>("a"), 1), 0xE8B7BE43U);

    const bedside_ack ack = {7, 20, 2, {{1, 2}, {5, 5}}};
    uint8_t bytes[bedside::kMaxAckBytes];
    const size_t ack_size = bedside_encode_ack(&ack, bytes, sizeof bytes);
    bedside_ack read_ack = {};
    CHECK_EQUAL(strcmp(bedside_decode_ack(bytes, ack_size, &read_ack), ""), 0);
    CHECK_EQUAL(read_ack.missing_count, 2);
    CHECK_EQUAL(read_ack.missing[1][0], 5);
    CHECK_EQUAL(strcmp(bedside_decode_ack(bytes, ack_size - 1, &read_ack), "length"), 0);
}

TEST("the C interface runs an uplink") {
    Bench bench;
    CHECK_EQUAL(bench.keep(51, 0), 0);
    CHECK_EQUAL(bench.keep(0, 0), 0);
    for (uint32_t n = 0; n < 4; ++n) {
        CHECK_EQUAL(bench.keep(1, 200 * n), 1);
    }
    CHECK_EQUAL(bedside_uplink_dropped(bench.uplink), 1);
    bedside_uplink_begin_round(bench.uplink, 600);
    CHECK_EQUAL(bedside_uplink_next(bench.uplink, bench.out, 10), 0);
    bedside_uplink_answer(bench.uplink, -1);
    CHECK_EQUAL(bedside_uplink_next(bench.uplink, bench.out, sizeof bench.out), 58);
    bedside_uplink_answer(bench.uplink, 5);
    CHECK_EQUAL(bedside_uplink_backlog_ms(bench.uplink, 1200), 1000);
    bedside_uplink_expired(bench.uplink, 5);
    bedside_uplink_begin_round(bench.uplink, 700);
    for (int32_t token = 6; token < 8; ++token) {
        CHECK_EQUAL(bedside_uplink_next(bench.uplink, bench.out, sizeof bench.out), 58);
        bedside_uplink_answer(bench.uplink, token);
    }
    CHECK_EQUAL(bedside_uplink_next(bench.uplink, bench.out, sizeof bench.out), 0);
    bedside_uplink_published(bench.uplink, 6);
    bedside_uplink_disconnected(bench.uplink);
    const bedside_ack ack = {7, 3, 0, {}};
    bedside_uplink_acknowledged(bench.uplink, &ack);
    CHECK_EQUAL(bedside_uplink_backlog(bench.uplink), 0);
}
