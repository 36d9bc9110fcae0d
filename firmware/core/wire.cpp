#include "wire.hpp"

#include "bytes.hpp"
#include "crc32.hpp"

namespace bedside {
namespace {

// Where each field lies in a batch.
constexpr size_t kVersionAt = 2;
constexpr size_t kHeaderLengthAt = 3;
constexpr size_t kFlagsAt = 4;
constexpr size_t kCountAt = 6;
constexpr size_t kBootIdAt = 8;
constexpr size_t kSequenceAt = 12;
constexpr size_t kFirstSampleAt = 16;
constexpr size_t kWallAt = 24;
constexpr size_t kRateAt = 32;
constexpr size_t kScaleAt = 36;
constexpr size_t kDroppedAt = 40;
constexpr size_t kEncodingAt = 44;
constexpr size_t kLowestHeldAt = 48;

constexpr size_t kAckHeaderBytes = 12;
constexpr size_t kRangeBytes = 8;

bool has_magic(const uint8_t* payload, size_t size, char second) {
    return size >= 2 && payload[0] == 'B' && payload[1] == static_cast<uint8_t>(second);
}

void seal(uint8_t* payload, size_t size) {
    put_u32(payload + size - kCrcBytes, crc32(payload, size - kCrcBytes));
}

bool is_sealed(const uint8_t* payload, size_t size) {
    return crc32(payload, size - kCrcBytes) == get_u32(payload + size - kCrcBytes);
}

bool is_count(uint16_t count) {
    return count >= 1 && count <= kMaxSamples;
}

bool is_rate(uint32_t rate_mhz) {
    return rate_mhz >= kMinRateMhz && rate_mhz <= kMaxRateMhz;
}

bool lies_before(const Range& range, uint32_t cumulative) {
    const uint32_t age_first = cumulative - range.first;
    const uint32_t age_last = cumulative - range.last;
    return age_last <= age_first && age_first < 0x80000000U;
}

}  // namespace

size_t encode_batch(const BatchHeader& header, const int16_t* samples, uint8_t* out,
                    size_t capacity) {
    const size_t size = batch_bytes(header.count);
    if (!is_count(header.count) || !is_rate(header.rate_mhz) || header.nv_per_lsb == 0 ||
        size > capacity) {
        return 0;
    }
    out[0] = 'B';
    out[1] = 'E';
    out[kVersionAt] = kWireVersion;
    out[kHeaderLengthAt] = kHeaderBytes;
    put_u16(out + kFlagsAt, header.flags);
    put_u16(out + kCountAt, header.count);
    put_u32(out + kBootIdAt, header.boot_id);
    put_u32(out + kSequenceAt, header.sequence);
    put_u64(out + kFirstSampleAt, header.first_sample);
    put_u64(out + kWallAt, static_cast<uint64_t>(header.wall_us));
    put_u32(out + kRateAt, header.rate_mhz);
    put_u32(out + kScaleAt, header.nv_per_lsb);
    put_u32(out + kDroppedAt, header.dropped);
    put_u32(out + kEncodingAt, 0);
    put_u32(out + kLowestHeldAt, header.lowest_held);
    for (size_t i = 0; i < header.count; ++i) {
        put_u16(out + kHeaderBytes + 2 * i, static_cast<uint16_t>(samples[i]));
    }
    seal(out, size);
    return size;
}

Refusal decode_batch(const uint8_t* payload, size_t size, BatchHeader& header, int16_t* samples) {
    if (!has_magic(payload, size, 'E')) {
        return Refusal::kMagic;
    }
    if (size < kHeaderBytes) {
        return Refusal::kLength;
    }
    if (payload[kVersionAt] != kWireVersion) {
        return Refusal::kVersion;
    }
    const size_t header_bytes = payload[kHeaderLengthAt];
    if (header_bytes < kHeaderBytes) {
        return Refusal::kLength;
    }
    if (payload[kEncodingAt] != 0) {
        return Refusal::kEncoding;
    }
    const uint16_t count = get_u16(payload + kCountAt);
    if (!is_count(count)) {
        return Refusal::kCount;
    }
    if (size != header_bytes + size_t{2} * count + kCrcBytes) {
        return Refusal::kLength;
    }
    if (!is_sealed(payload, size)) {
        return Refusal::kCrc;
    }
    const uint32_t rate_mhz = get_u32(payload + kRateAt);
    if (!is_rate(rate_mhz)) {
        return Refusal::kRate;
    }
    const uint32_t nv_per_lsb = get_u32(payload + kScaleAt);
    if (nv_per_lsb == 0) {
        return Refusal::kScale;
    }
    header.flags = get_u16(payload + kFlagsAt);
    header.count = count;
    header.boot_id = get_u32(payload + kBootIdAt);
    header.sequence = get_u32(payload + kSequenceAt);
    header.first_sample = get_u64(payload + kFirstSampleAt);
    header.wall_us = static_cast<int64_t>(get_u64(payload + kWallAt));
    header.rate_mhz = rate_mhz;
    header.nv_per_lsb = nv_per_lsb;
    header.dropped = get_u32(payload + kDroppedAt);
    header.lowest_held = get_u32(payload + kLowestHeldAt);
    for (size_t i = 0; i < count; ++i) {
        samples[i] = static_cast<int16_t>(get_u16(payload + header_bytes + 2 * i));
    }
    return Refusal::kNone;
}

void refresh_batch(uint8_t* payload, size_t size, bool replayed, uint32_t dropped,
                   uint32_t lowest_held) {
    if (replayed) {
        const unsigned flags = get_u16(payload + kFlagsAt) | flag::kReplayed;
        put_u16(payload + kFlagsAt, static_cast<uint16_t>(flags));
    }
    put_u32(payload + kDroppedAt, dropped);
    put_u32(payload + kLowestHeldAt, lowest_held);
    seal(payload, size);
}

uint32_t sequence_of(const uint8_t* payload) {
    return get_u32(payload + kSequenceAt);
}

size_t encode_ack(const Ack& ack, uint8_t* out, size_t capacity) {
    const size_t size = kAckHeaderBytes + kRangeBytes * ack.missing_count + kCrcBytes;
    if (ack.missing_count > kMaxMissingRanges || size > capacity) {
        return 0;
    }
    out[0] = 'B';
    out[1] = 'A';
    out[2] = kWireVersion;
    out[3] = ack.missing_count;
    put_u32(out + 4, ack.boot_id);
    put_u32(out + 8, ack.cumulative);
    for (size_t i = 0; i < ack.missing_count; ++i) {
        put_u32(out + kAckHeaderBytes + kRangeBytes * i, ack.missing[i].first);
        put_u32(out + kAckHeaderBytes + kRangeBytes * i + 4, ack.missing[i].last);
    }
    seal(out, size);
    return size;
}

Refusal decode_ack(const uint8_t* payload, size_t size, Ack& ack) {
    if (!has_magic(payload, size, 'A')) {
        return Refusal::kMagic;
    }
    if (size < kAckHeaderBytes + kCrcBytes) {
        return Refusal::kLength;
    }
    if (payload[2] != kWireVersion) {
        return Refusal::kVersion;
    }
    const uint8_t missing_count = payload[3];
    if (missing_count > kMaxMissingRanges) {
        return Refusal::kCount;
    }
    if (size != kAckHeaderBytes + kRangeBytes * missing_count + kCrcBytes) {
        return Refusal::kLength;
    }
    if (!is_sealed(payload, size)) {
        return Refusal::kCrc;
    }
    Ack read{};
    read.missing_count = missing_count;
    read.boot_id = get_u32(payload + 4);
    read.cumulative = get_u32(payload + 8);
    for (size_t i = 0; i < missing_count; ++i) {
        const uint8_t* range = payload + kAckHeaderBytes + kRangeBytes * i;
        read.missing[i] = {get_u32(range), get_u32(range + 4)};
        if (!lies_before(read.missing[i], read.cumulative)) {
            return Refusal::kRange;
        }
    }
    ack = read;
    return Refusal::kNone;
}

}  // namespace bedside
