#include <string.h>

#include "../core/crc32.hpp"
#include "../core/wire.hpp"
#include "check.hpp"

namespace {

struct Vector {
    const char* name;
    bool is_batch;
    const uint8_t* payload;
    size_t size;
    bedside::Refusal refusal;
    const bedside::BatchHeader* batch;
    const int16_t* samples;
    const bedside::Ack* ack;
    bool canonical;
};

#include "vectors.inc"

bool same(const bedside::BatchHeader& a, const bedside::BatchHeader& b) {
    return a.flags == b.flags && a.count == b.count && a.boot_id == b.boot_id &&
           a.sequence == b.sequence && a.first_sample == b.first_sample && a.wall_us == b.wall_us &&
           a.rate_mhz == b.rate_mhz && a.nv_per_lsb == b.nv_per_lsb && a.dropped == b.dropped &&
           a.lowest_held == b.lowest_held;
}

bedside::BatchHeader plain() {
    bedside::BatchHeader header{};
    header.count = 2;
    header.rate_mhz = 250'000;
    header.nv_per_lsb = 100;
    return header;
}

}  // namespace

TEST("the CRC is zlib's") {
    const char* text = "123456789";
    CHECK_EQUAL(bedside::crc32(reinterpret_cast<const uint8_t*>(text), 9), 0xCBF43926U);
    CHECK_EQUAL(bedside::crc32(nullptr, 0), 0);
}

TEST("every golden payload is read, or refused for its reason") {
    for (const Vector& vector : kVectors) {
        bedside::BatchHeader header{};
        int16_t samples[bedside::kMaxSamples] = {};
        bedside::Ack ack{};
        const bedside::Refusal refusal =
            vector.is_batch ? bedside::decode_batch(vector.payload, vector.size, header, samples)
                            : bedside::decode_ack(vector.payload, vector.size, ack);
        if (refusal != vector.refusal) {
            check::failed(__FILE__, __LINE__, vector.name);
        }
        if (vector.batch != nullptr) {
            const bool fits = same(header, *vector.batch) &&
                              memcmp(samples, vector.samples, 2U * vector.batch->count) == 0;
            if (!fits) {
                check::failed(__FILE__, __LINE__, vector.name);
            }
        }
        if (vector.ack != nullptr) {
            CHECK_EQUAL(ack.boot_id, vector.ack->boot_id);
            CHECK_EQUAL(ack.cumulative, vector.ack->cumulative);
            CHECK_EQUAL(ack.missing_count, vector.ack->missing_count);
            CHECK_EQUAL(memcmp(ack.missing, vector.ack->missing, sizeof ack.missing), 0);
        }
    }
}

TEST("what a golden payload holds is written as its bytes") {
    for (const Vector& vector : kVectors) {
        uint8_t payload[bedside::kMaxBatchBytes];
        size_t size = 0;
        if (vector.batch != nullptr && vector.canonical) {
            size = bedside::encode_batch(*vector.batch, vector.samples, payload, sizeof payload);
        } else if (vector.ack != nullptr) {
            size = bedside::encode_ack(*vector.ack, payload, sizeof payload);
        } else {
            continue;
        }
        if (size != vector.size || memcmp(payload, vector.payload, size) != 0) {
            check::failed(__FILE__, __LINE__, vector.name);
        }
    }
}

TEST("a batch that a reader would refuse is not written") {
    const int16_t samples[2] = {1, 2};
    uint8_t out[bedside::kMaxBatchBytes];
    bedside::BatchHeader header = plain();
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, sizeof out), 60);
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, 59), 0);
    header.count = 0;
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, sizeof out), 0);
    header.count = bedside::kMaxSamples + 1;
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, 2 * sizeof out), 0);
    header = plain();
    header.rate_mhz = bedside::kMinRateMhz - 1;
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, sizeof out), 0);
    header.rate_mhz = bedside::kMaxRateMhz + 1;
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, sizeof out), 0);
    header = plain();
    header.nv_per_lsb = 0;
    CHECK_EQUAL(bedside::encode_batch(header, samples, out, sizeof out), 0);
}

TEST("an acknowledgement of too many ranges, or for too little room, is not written") {
    bedside::Ack ack{};
    uint8_t out[bedside::kMaxAckBytes];
    ack.missing_count = bedside::kMaxMissingRanges + 1;
    CHECK_EQUAL(bedside::encode_ack(ack, out, sizeof out), 0);
    ack.missing_count = 1;
    CHECK_EQUAL(bedside::encode_ack(ack, out, 23), 0);
    CHECK_EQUAL(bedside::encode_ack(ack, out, 24), 24);
}

TEST("a refreshed batch carries what changed and is still sealed") {
    const int16_t samples[2] = {-7, 7};
    uint8_t out[60];
    bedside::BatchHeader header = plain();
    header.flags = bedside::flag::kSettling;
    header.sequence = 0x80000001U;
    bedside::encode_batch(header, samples, out, sizeof out);
    CHECK_EQUAL(bedside::sequence_of(out), 0x80000001U);
    bedside::refresh_batch(out, sizeof out, false, 3, 4);
    bedside::BatchHeader read{};
    int16_t read_samples[bedside::kMaxSamples];
    CHECK(bedside::decode_batch(out, sizeof out, read, read_samples) == bedside::Refusal::kNone);
    CHECK_EQUAL(read.flags, bedside::flag::kSettling);
    CHECK_EQUAL(read.dropped, 3);
    CHECK_EQUAL(read.lowest_held, 4);
    bedside::refresh_batch(out, sizeof out, true, 3, 4);
    CHECK(bedside::decode_batch(out, sizeof out, read, read_samples) == bedside::Refusal::kNone);
    CHECK_EQUAL(read.flags, bedside::flag::kSettling | bedside::flag::kReplayed);
}
