#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "../core/bytes.hpp"
#include "../core/crc32.hpp"
#include "../core/wire.hpp"

// Bytes at random, valid payloads with bytes changed, and such with their CRC mended, through both
// decoders: what is accepted must encode to the same fields. Each payload lies in a block of its
// own size, so that a sanitizer sees a read beyond its end.

namespace {

using bedside::Refusal;

std::uint64_t accepted_batches = 0;
std::uint64_t accepted_acks = 0;
// The control: a decoder that takes one count in seven for another.
bool is_control = false;

bool holds(const std::vector<std::uint8_t>& bytes) {
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    bedside::BatchHeader header{};
    std::int16_t samples[bedside::kMaxSamples];
    if (bedside::decode_batch(exact.get(), bytes.size(), header, samples) == Refusal::kNone) {
        ++accepted_batches;
        if (is_control && header.count % 7 == 0) {
            ++header.count;
        }
        std::uint8_t again[bedside::kMaxBatchBytes];
        const std::size_t size = bedside::encode_batch(header, samples, again, sizeof again);
        bedside::BatchHeader read{};
        if (size != bedside::batch_bytes(bedside::get_u16(&bytes[6])) ||
            bedside::decode_batch(again, size, read, samples) != Refusal::kNone ||
            read.sequence != header.sequence || read.count != header.count) {
            return false;
        }
    }
    bedside::Ack ack{};
    if (bedside::decode_ack(exact.get(), bytes.size(), ack) == Refusal::kNone) {
        ++accepted_acks;
        std::uint8_t again[bedside::kMaxAckBytes];
        const std::size_t size = bedside::encode_ack(ack, again, sizeof again);
        if (size != bytes.size() || !std::equal(bytes.begin(), bytes.end(), again)) {
            return false;
        }
    }
    return true;
}

std::vector<std::uint8_t> seed_payload(std::mt19937& random) {
    std::uint8_t payload[bedside::kMaxBatchBytes];
    std::size_t size = 0;
    if (random() % 2 == 0) {
        std::int16_t samples[bedside::kMaxSamples] = {};
        bedside::BatchHeader header{};
        header.count = static_cast<std::uint16_t>(1 + random() % bedside::kMaxSamples);
        header.sequence = static_cast<std::uint32_t>(random());
        header.rate_mhz = 250'000;
        header.nv_per_lsb = 100;
        size = bedside::encode_batch(header, samples, payload, sizeof payload);
    } else {
        bedside::Ack ack{};
        ack.cumulative = static_cast<std::uint32_t>(random());
        ack.missing_count = static_cast<std::uint8_t>(random() % 17);
        for (auto& range : ack.missing) {
            const auto age = static_cast<std::uint32_t>(random() % 1000);
            range = {ack.cumulative - age - static_cast<std::uint32_t>(random() % 10),
                     ack.cumulative - age};
        }
        size = bedside::encode_ack(ack, payload, sizeof payload);
    }
    return {payload, payload + size};
}

}  // namespace

int main(int count, char** arguments) {
    is_control = count > 2;
    const int seconds = count > 1 ? std::atoi(arguments[1]) : 20;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    std::mt19937 random(1);
    std::uint64_t payloads = 0;
    while (std::chrono::steady_clock::now() < until) {
        for (int i = 0; i < 1000; ++i, ++payloads) {
            std::vector<std::uint8_t> bytes = seed_payload(random);
            for (auto changes = random() % 5; changes > 0; --changes) {
                bytes[random() % (random() % 2 == 0 ? bytes.size() : 52 % bytes.size() + 1) %
                      bytes.size()] = static_cast<std::uint8_t>(random());
            }
            if (random() % 4 == 0) {
                bytes.resize(random() % (bytes.size() + 8));
            }
            if (bytes.size() >= 4 && random() % 2 == 0) {
                bedside::put_u32(&bytes[bytes.size() - 4],
                                 bedside::crc32(bytes.data(), bytes.size() - 4));
            }
            if (!holds(bytes)) {
                std::puts("a payload was accepted that does not encode to itself");
                return 1;
            }
        }
    }
    std::printf("%" PRIu64 " payloads, accepted %" PRIu64 " batches and %" PRIu64
                " acknowledgements\n",
                payloads, accepted_batches, accepted_acks);
    return accepted_batches > 0 && accepted_acks > 0 ? 0 : 1;
}
