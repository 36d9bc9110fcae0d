#include <string.h>

#include "../core/uplink.hpp"
#include "check.hpp"

using bedside::Ack;
using bedside::Cut;
using bedside::Store;
using bedside::Uplink;

namespace {

constexpr uint32_t kBoot = 77;
constexpr size_t kSlots = 12;
constexpr size_t kInFlight = 8;
constexpr size_t kWords = kSlots * 42;

/// An uplink that keeps batch n as sampled at n × 200 ms.
struct Bench {
    uint32_t words[kWords];
    Uplink::InFlight entries[kInFlight];
    Store store;
    Uplink uplink;
    uint32_t kept = 0;

    explicit Bench(uint32_t first_sequence = 0, size_t word_count = kWords)
        : store(words, word_count, bedside::kBatchSamples),
          uplink(store, entries, kInFlight, {kBoot, first_sequence, 20}) {}

    void keep(int batches) {
        for (int i = 0; i < batches; ++i) {
            Cut cut{};
            cut.first_sample = 50ULL * kept;
            cut.count = 50;
            memset(cut.samples, static_cast<int>(kept % 100), sizeof cut.samples);
            CHECK(uplink.keep(cut, 0, 250'000, 100, 200 * kept));
            ++kept;
        }
    }

    /// Sends what is due under tokens equal to sequence numbers + 100; returns how many and which.
    int send(uint32_t now_ms, uint32_t sequences[kSlots], bool taken = true) {
        uplink.begin_round(now_ms);
        Uplink::Outgoing outgoing{};
        int count = 0;
        while (count < static_cast<int>(kSlots) && uplink.next(outgoing)) {
            sequences[count] = outgoing.sequence;
            ++count;
            if (!taken) {
                uplink.not_sent(outgoing);
                break;
            }
            uplink.sent(outgoing, static_cast<int32_t>(outgoing.sequence + 100));
        }
        return count;
    }

    int send(uint32_t now_ms) {
        uint32_t sequences[kSlots];
        return send(now_ms, sequences);
    }

    void published(uint32_t first, uint32_t last) {
        for (uint32_t sequence = first; sequence <= last; ++sequence) {
            uplink.published(static_cast<int32_t>(sequence + 100));
        }
    }
};

bedside::BatchHeader read(const Uplink::Outgoing& outgoing) {
    bedside::BatchHeader header{};
    int16_t samples[bedside::kMaxSamples];
    CHECK(bedside::decode_batch(outgoing.payload, outgoing.size, header, samples) ==
          bedside::Refusal::kNone);
    return header;
}

Ack ack(uint32_t cumulative) {
    return {kBoot, cumulative, 0, {}};
}

}  // namespace

TEST("a store is as large as its memory and hands slots out in any order") {
    uint32_t words[3 * 42 + 5];
    Store store(words, sizeof words / sizeof *words, 50);
    CHECK_EQUAL(Store::words_for(3, 50), 3 * 42);
    CHECK_EQUAL(store.capacity(), 3);
    CHECK_EQUAL(store.payload_capacity(), 156);
    const Store::Index a = store.append();
    const Store::Index b = store.append();
    const Store::Index c = store.append();
    CHECK(store.full());
    store.remove(b);
    CHECK_EQUAL(store.slot(a).next, c);
    CHECK_EQUAL(store.slot(c).previous, a);
    const Store::Index d = store.append();
    CHECK_EQUAL(store.newest(), d);
    store.remove(d);
    store.remove(a);
    CHECK_EQUAL(store.oldest(), c);
    store.remove(c);
    CHECK_EQUAL(store.count(), 0);
    CHECK_EQUAL(store.oldest(), Store::kNone);
    CHECK_EQUAL(store.newest(), Store::kNone);
}

TEST("a batch leaves at once and once") {
    Bench bench;
    bench.keep(1);
    bench.uplink.begin_round(0);
    Uplink::Outgoing outgoing{};
    CHECK(bench.uplink.next(outgoing));
    const bedside::BatchHeader header = read(outgoing);
    CHECK_EQUAL(header.sequence, 0);
    CHECK_EQUAL(header.flags, 0);
    CHECK_EQUAL(header.boot_id, kBoot);
    bench.uplink.sent(outgoing, 1);
    CHECK(!bench.uplink.next(outgoing));
    CHECK_EQUAL(bench.send(100), 0);
}

TEST("a PUBACK frees nothing and an acknowledgement does") {
    Bench bench;
    bench.keep(4);
    CHECK_EQUAL(bench.send(600), 4);
    bench.published(0, 3);
    CHECK_EQUAL(bench.uplink.backlog_batches(), 4);
    CHECK_EQUAL(bench.uplink.backlog_ms(1000), 1000);
    Ack missing_one = ack(2);
    missing_one.missing_count = 1;
    missing_one.missing[0] = {1, 1};
    bench.uplink.acknowledged(missing_one);
    CHECK_EQUAL(bench.uplink.backlog_batches(), 2);
    CHECK_EQUAL(bench.uplink.backlog_ms(1200), 1000);
    bench.uplink.acknowledged(ack(3));
    CHECK_EQUAL(bench.uplink.backlog_ms(1200), 0);
}

TEST("a late batch says so and carries the lowest number held") {
    Bench bench;
    bench.keep(6);
    bench.send(1000);
    bench.published(0, 5);
    Ack missing = ack(5);
    missing.missing_count = 2;
    missing.missing[0] = {1, 2};
    missing.missing[1] = {4, 4};
    bench.uplink.acknowledged(missing);
    bench.uplink.begin_round(30'000);
    Uplink::Outgoing outgoing{};
    const uint32_t expected[] = {1, 2, 4};
    for (uint32_t sequence : expected) {
        CHECK(bench.uplink.next(outgoing));
        const bedside::BatchHeader header = read(outgoing);
        CHECK_EQUAL(header.sequence, sequence);
        CHECK_EQUAL(header.lowest_held, 1);
        CHECK_EQUAL(header.flags, bedside::flag::kReplayed);
        bench.uplink.sent(outgoing, static_cast<int32_t>(sequence));
    }
    CHECK(!bench.uplink.next(outgoing));
}

TEST("live batches leave before missing ones, those oldest first and 20 a second") {
    Bench bench;
    bench.keep(8);
    bench.send(1400);
    bench.uplink.disconnected();
    bench.keep(2);
    uint32_t sequences[kSlots];
    const int first = bench.send(1900, sequences);
    CHECK_EQUAL(first, 4);
    const uint32_t expected[] = {8, 9, 0, 1};
    CHECK_EQUAL(memcmp(sequences, expected, sizeof expected), 0);
    bench.published(8, 9);
    CHECK_EQUAL(bench.send(1949, sequences), 0);
    CHECK_EQUAL(bench.send(1950, sequences), 1);
    CHECK_EQUAL(sequences[0], 2);
    CHECK_EQUAL(bench.send(2050, sequences), 2);
}

TEST("only so many batches are with the MQTT client at once") {
    Bench bench;
    bench.keep(kSlots);
    CHECK_EQUAL(bench.send(2200), kInFlight - 1 + 1);
    CHECK_EQUAL(bench.uplink.in_flight_batches(), kInFlight);
    CHECK_EQUAL(bench.send(2300), 0);
    bench.published(5, 5);
    CHECK_EQUAL(bench.send(2350), 1);
}

TEST("what the MQTT client does not take, or gives up on, is sent again") {
    Bench bench;
    bench.keep(2);
    uint32_t sequences[kSlots];
    CHECK_EQUAL(bench.send(200, sequences, false), 1);
    CHECK_EQUAL(bench.send(300, sequences), 2);
    CHECK_EQUAL(sequences[0], 1);
    CHECK_EQUAL(sequences[1], 0);
    bench.uplink.expired(100);
    bench.uplink.expired(100);
    bench.uplink.expired(4711);
    CHECK_EQUAL(bench.send(400, sequences), 1);
    CHECK_EQUAL(sequences[0], 0);
}

TEST("a full store drops and counts its oldest batch, whatever state that is in") {
    Bench bench;
    bench.keep(kSlots);
    bench.send(2000);  // 0 and what the in-flight limit allows
    bench.keep(1);     // drops 0, in flight
    CHECK_EQUAL(bench.uplink.dropped(), 1);
    bench.uplink.published(100);  // for a batch that is gone
    CHECK_EQUAL(bench.uplink.backlog_batches(), kSlots);
    bench.keep(kSlots);  // drops those in flight and those never sent
    CHECK_EQUAL(bench.uplink.dropped(), kSlots + 1);
    bench.uplink.disconnected();  // tokens of batches that are gone
    uint32_t sequences[kSlots];
    const int count = bench.send(200 * bench.kept, sequences);
    CHECK_EQUAL(count, kInFlight);
    CHECK_EQUAL(sequences[0], bench.kept - 10);
    bench.uplink.expired(static_cast<int32_t>(sequences[0] + 100));
    bench.keep(kSlots);
    CHECK_EQUAL(bench.uplink.backlog_batches(), kSlots);
}

TEST("a batch that waits to be sent again and is dropped is not sent") {
    Bench bench;
    bench.keep(4);
    bench.send(600);
    bench.uplink.disconnected();
    bench.keep(kSlots);
    uint32_t sequences[kSlots];
    CHECK(bench.send(3100, sequences) > 0);
    CHECK(sequences[0] >= 4);
}

TEST("an acknowledgement of another boot or of what was never sent changes nothing") {
    Bench bench;
    bench.keep(3);
    bench.send(400);
    Ack other = ack(2);
    other.boot_id = kBoot + 1;
    bench.uplink.acknowledged(other);
    bench.uplink.acknowledged(ack(3));
    bench.uplink.acknowledged(ack(0xFFFFFFFFU));
    CHECK_EQUAL(bench.uplink.backlog_batches(), 3);
    Bench empty;
    empty.uplink.acknowledged(ack(0xFFFFFFFFU));
    CHECK_EQUAL(empty.uplink.backlog_batches(), 0);
}

TEST("what is acknowledged before it was sent is not sent") {
    Bench bench;
    bench.keep(3);
    bench.uplink.acknowledged(ack(1));
    uint32_t sequences[kSlots];
    CHECK_EQUAL(bench.send(400, sequences), 1);
    CHECK_EQUAL(sequences[0], 2);
    bench.uplink.disconnected();
    bench.uplink.acknowledged(ack(2));
    CHECK_EQUAL(bench.send(500, sequences), 0);
}

TEST("a missing batch that is still on its way is not sent twice") {
    Bench bench;
    bench.keep(2);
    bench.send(200);
    Ack missing = ack(1);
    missing.missing_count = 1;
    missing.missing[0] = {0, 0};
    bench.uplink.acknowledged(missing);
    CHECK_EQUAL(bench.send(300), 0);
    bench.published(0, 0);
    bench.uplink.acknowledged(missing);
    CHECK_EQUAL(bench.send(400), 1);
}

TEST("sequence numbers run on across their end") {
    Bench bench(0xFFFFFFFEU);
    bench.keep(6);
    CHECK_EQUAL(bench.send(1000), 6);
    for (uint32_t n = 0; n < 6; ++n) {
        bench.uplink.published(static_cast<int32_t>(0xFFFFFFFEU + n + 100));
    }
    Ack across = ack(2);
    across.missing_count = 1;
    across.missing[0] = {0xFFFFFFFFU, 1};
    bench.uplink.acknowledged(across);
    CHECK_EQUAL(bench.uplink.backlog_batches(), 4);
    uint32_t sequences[kSlots];
    CHECK_EQUAL(bench.send(2000, sequences), 3);
    CHECK_EQUAL(sequences[0], 0xFFFFFFFFU);
    CHECK_EQUAL(sequences[2], 1);
}

TEST("time may wrap, and a pause earns no more than the burst") {
    Bench bench;
    Cut cut{};
    cut.count = 50;
    bench.uplink.keep(cut, 0, 250'000, 100, 0xFFFFFF00U);
    CHECK_EQUAL(bench.send(0x10), 1);
    CHECK_EQUAL(bench.uplink.backlog_ms(0x10), 0x110);
    CHECK_EQUAL(bench.uplink.backlog_ms(0xFFFFFE00U), 0);
    Bench idle;
    idle.send(0);
    idle.keep(8);
    idle.send(1400);
    idle.uplink.disconnected();
    CHECK_EQUAL(idle.send(200'000'000), 4);
}

TEST("a live batch that is dropped before it was sent is not sent") {
    Bench bench;
    bench.keep(kSlots + 1);
    uint32_t sequences[kSlots];
    CHECK(bench.send(200 * kSlots, sequences) > 0);
    CHECK_EQUAL(bench.uplink.dropped(), 1);
    CHECK(sequences[0] > 0);
}

TEST("the newest batch of a stream that has ended is sent again until it is acknowledged") {
    Bench bench;
    bench.keep(3);
    uint32_t sequences[kSlots];
    CHECK_EQUAL(bench.send(400, sequences), 3);
    // In flight, it is the MQTT client's.
    CHECK_EQUAL(bench.send(9000, sequences), 0);
    bench.published(0, 2);
    CHECK_EQUAL(bench.send(9000, sequences), 1);
    CHECK_EQUAL(sequences[0], 2);
    bench.published(2, 2);
    CHECK_EQUAL(bench.send(9000 + Uplink::kRepeatedAfterMs, sequences), 0);
    CHECK_EQUAL(bench.send(9001 + Uplink::kRepeatedAfterMs, sequences), 1);
    bench.published(2, 2);
    bench.uplink.acknowledged(ack(2));
    CHECK_EQUAL(bench.send(60'000, sequences), 0);
}

TEST("no batch is repeated while newer ones come, however long nothing is acknowledged") {
    Bench bench;
    uint32_t sequences[kSlots];
    for (uint32_t n = 0; n < 60; ++n) {
        bench.keep(1);
        CHECK_EQUAL(bench.send(200 * n, sequences), 1);
        CHECK_EQUAL(sequences[0], n);
        bench.published(n, n);
    }
}

TEST("a token of a slot that holds another batch by now is ignored") {
    Bench bench;
    bench.keep(1);
    bench.send(0);
    bench.uplink.acknowledged(ack(0));
    bench.keep(1);
    bench.send(200);
    bench.uplink.expired(100);
    CHECK_EQUAL(bench.send(300), 0);
    bench.uplink.expired(101);
    CHECK_EQUAL(bench.send(400), 1);
}

TEST("a token of a batch that was acknowledged meanwhile is ignored") {
    Bench bench;
    bench.keep(2);
    bench.send(200);
    bench.uplink.acknowledged(ack(1));
    bench.uplink.expired(100);
    bench.uplink.disconnected();
    CHECK_EQUAL(bench.send(300), 0);
    CHECK_EQUAL(bench.uplink.backlog_batches(), 0);
}

TEST("many live batches at once delay the others by no more than the burst") {
    Bench bench;
    bench.keep(8);
    CHECK_EQUAL(bench.send(1400), 8);
    bench.published(0, 7);
    bench.keep(4);
    CHECK_EQUAL(bench.send(1400), 4);
    bench.uplink.disconnected();
    CHECK_EQUAL(bench.send(1649), 0);
    CHECK_EQUAL(bench.send(1650), 1);
}

TEST("a batch that cannot be encoded is refused and leaves no trace") {
    Bench bench;
    Cut cut{};
    cut.count = 0;
    CHECK(!bench.uplink.keep(cut, 0, 250'000, 100, 0));
    CHECK_EQUAL(bench.uplink.backlog_batches(), 0);
    bench.keep(1);
    uint32_t sequences[kSlots];
    CHECK_EQUAL(bench.send(0, sequences), 1);
    CHECK_EQUAL(sequences[0], 0);
}
