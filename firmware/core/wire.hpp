#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bedside {

/// The wire format, version 1, little-endian. A payload is decoded whole or refused; the checks run
/// in the order of `Refusal`, the same as in every other implementation.
constexpr uint8_t kWireVersion = 1;
constexpr size_t kHeaderBytes = 52;
constexpr size_t kCrcBytes = 4;
constexpr uint16_t kMaxSamples = 250;
constexpr size_t kMaxBatchBytes = kHeaderBytes + size_t{2} * kMaxSamples + kCrcBytes;
constexpr uint8_t kMaxMissingRanges = 16;
constexpr size_t kMaxAckBytes = 12 + 8 * kMaxMissingRanges + kCrcBytes;
constexpr uint32_t kMinRateMhz = 100'000;
constexpr uint32_t kMaxRateMhz = 1'000'000;

/// What is true of every sample of a batch.
namespace flag {
constexpr uint16_t kLeadOffPlus = 1;
constexpr uint16_t kLeadOffMinus = 2;
constexpr uint16_t kClockSynced = 4;
constexpr uint16_t kReplayed = 8;
constexpr uint16_t kSaturated = 16;
constexpr uint16_t kSynthetic = 32;
constexpr uint16_t kSettling = 64;
}  // namespace flag

enum class Refusal : uint8_t {
    kNone,
    kMagic,
    kVersion,
    kLength,
    kEncoding,
    kCount,
    kCrc,
    kRate,
    kScale,
    kRange,
};

struct BatchHeader {
    uint16_t flags;
    uint16_t count;
    uint32_t boot_id;
    uint32_t sequence;
    uint64_t first_sample;
    int64_t wall_us;  ///< Unix time of the first sample, 0 while the clock is not synced
    uint32_t rate_mhz;
    uint32_t nv_per_lsb;
    uint32_t dropped;
    uint32_t lowest_held;
};

struct Range {
    uint32_t first;
    uint32_t last;
};

/// Everything up to and including `cumulative` is on disk, apart from the missing ranges.
struct Ack {
    uint32_t boot_id;
    uint32_t cumulative;
    uint8_t missing_count;
    Range missing[kMaxMissingRanges];
};

constexpr size_t batch_bytes(uint16_t count) {
    return kHeaderBytes + size_t{2} * count + kCrcBytes;
}

/// Writes a payload of `batch_bytes(header.count)`; returns its size, or 0 where a reader would
/// refuse it or `capacity` does not hold it.
size_t encode_batch(const BatchHeader& header, const int16_t* samples, uint8_t* out,
                    size_t capacity);

/// Reads a payload; `samples` needs room for kMaxSamples. Nothing is written when it is refused.
Refusal decode_batch(const uint8_t* payload, size_t size, BatchHeader& header, int16_t* samples);

/// Brings what may change after encoding up to date in an encoded batch, and seals it again.
void refresh_batch(uint8_t* payload, size_t size, bool replayed, uint32_t dropped,
                   uint32_t lowest_held);

/// The sequence number of an encoded batch.
uint32_t sequence_of(const uint8_t* payload);

/// Writes an acknowledgement; returns its size, or 0 for more than 16 ranges or too little room.
size_t encode_ack(const Ack& ack, uint8_t* out, size_t capacity);

/// Reads an acknowledgement. A missing range that does not lie at or before the cumulative number,
/// in the circular order of sequence numbers, is refused. Nothing is written when it is refused.
Refusal decode_ack(const uint8_t* payload, size_t size, Ack& ack);

}  // namespace bedside
