#include <string.h>

#include "../core/acquisition.hpp"
#include "../core/node.hpp"
#include "../core/rate.hpp"
#include "check.hpp"

using bedside::Command;
using bedside::Cut;
using bedside::Node;
using bedside::RateMeter;
using bedside::Store;
using bedside::Uplink;

namespace {

/// A world in which the test is the broker.
struct World {
    int64_t now_us = 1'000'000;
    int64_t wall_us = 0;
    int32_t heap = 123'456;
    int32_t rssi = -61;
    int64_t missed_ticks = 7;
    int32_t next_token = 1;
    int batches = 0;
    int statuses = 0;
    int metas = 0;
    int logged = 0;
    bool takes = true;
    uint8_t last_batch[bedside::kMaxBatchBytes] = {};
    size_t last_batch_size = 0;
    char last_json[Node::kMaxJsonBytes] = {};

    static World& of(void* context) { return *static_cast<World*>(context); }
    static int32_t publish(void* context, const char* topic, const uint8_t* bytes, size_t size,
                           bool retain) {
        World& world = of(context);
        if (strcmp(topic, "bedside/v1/bed-1/ecg") == 0) {
            CHECK(!retain);
            if (!world.takes) {
                return -1;
            }
            ++world.batches;
            memcpy(world.last_batch, bytes, size);
            world.last_batch_size = size;
        } else {
            CHECK(retain);
            world.statuses += strcmp(topic, "bedside/v1/bed-1/status") == 0 ? 1 : 0;
            world.metas += strcmp(topic, "bedside/v1/bed-1/meta") == 0 ? 1 : 0;
            memcpy(world.last_json, bytes, size);
            world.last_json[size] = '\0';
        }
        return world.next_token++;
    }
    bedside::Port port() {
        return {this,
                [](void* context) { return of(context).now_us; },
                [](void* context) { return of(context).wall_us; },
                &World::publish,
                [](void* context) { return of(context).heap; },
                [](void* context) { return of(context).missed_ticks; },
                [](void* context) { return of(context).rssi; },
                [](void* context, const char*) { ++of(context).logged; }};
    }
};

struct Bench {
    World world;
    uint32_t words[8 * 42];
    Uplink::InFlight entries[4];
    Store store{words, 8 * 42, bedside::kBatchSamples};
    Uplink uplink{store, entries, 4, {0xDEADBEEFU, 0, 20}};
    Node node{world.port(), {"bed-1", "ESP32", "0.1", nullptr, "[0.5, 40]", 250'000, 100}, uplink};
    uint64_t samples = 0;

    void sample() {
        Cut cut{};
        cut.first_sample = samples;
        cut.count = 50;
        cut.first_us = world.now_us;
        world.now_us += 200'000;
        cut.last_us = world.now_us - 4000;
        samples += 50;
        node.take(cut);
    }

    bedside::BatchHeader last() {
        bedside::BatchHeader header{};
        int16_t read[bedside::kMaxSamples];
        CHECK(bedside::decode_batch(world.last_batch, world.last_batch_size, header, read) ==
              bedside::Refusal::kNone);
        return header;
    }
};

Command told(const char* json) {
    return Node::heard_command(reinterpret_cast<const uint8_t*>(json), strlen(json));
}

}  // namespace

TEST("nothing is published without a connection, all of it afterwards") {
    Bench bench;
    bench.sample();
    bench.node.step();
    CHECK_EQUAL(bench.world.batches + bench.world.statuses, 0);
    bench.node.connected();
    bench.node.step();
    CHECK_EQUAL(bench.world.metas, 1);
    CHECK_EQUAL(bench.world.statuses, 1);
    CHECK_EQUAL(bench.world.batches, 1);
}

TEST("the status comes every ten seconds and is JSON with every field") {
    Bench bench;
    bench.node.connected();
    bench.world.now_us += Node::kStatusEveryUs - 1;
    bench.node.step();
    CHECK_EQUAL(bench.world.statuses, 1);
    bench.sample();
    bench.world.now_us += 1'000'000;
    bench.node.step();
    CHECK_EQUAL(bench.world.statuses, 2);
    CHECK_EQUAL(strcmp(bench.world.last_json,
                       "{\"state\": \"online\", \"boot_id\": 3735928559, \"free_heap\": 123456, "
                       "\"backlog_s\": 1.0, \"dropped\": 0, \"expired\": 0, \"missed_ticks\": 7, "
                       "\"rssi\": -61}"),
                0);
}

TEST("what a node cannot know of itself is null") {
    Bench bench;
    bench.world.heap = -1;
    bench.world.rssi = 0;
    bench.world.missed_ticks = -1;
    char json[Node::kMaxJsonBytes];
    bedside::Text text(json, sizeof json);
    bench.node.status(text, false);
    CHECK_EQUAL(
        strcmp(json,
               "{\"state\": \"offline\", \"boot_id\": 3735928559, \"free_heap\": null, "
               "\"backlog_s\": 0.0, \"dropped\": 0, \"expired\": 0, \"missed_ticks\": null, "
               "\"rssi\": null}"),
        0);
}

TEST("the node describes itself") {
    Bench bench;
    char json[Node::kMaxJsonBytes];
    bedside::Text text(json, sizeof json);
    bench.node.meta(text);
    CHECK_EQUAL(strcmp(json,
                       "{\"device\": \"ESP32\", \"firmware\": \"0.1\", \"rate_hz\": 250.000, "
                       "\"units\": \"mV\", \"nv_per_lsb\": 100, \"filter_hz\": [0.5, 40], "
                       "\"lead\": null, \"wire\": 1}"),
                0);
    Node bare(bench.world.port(), {"b", "d", "f", "II", nullptr, 100'001, 5}, bench.uplink);
    bedside::Text other(json, sizeof json);
    bare.meta(other);
    CHECK(strstr(json, "\"rate_hz\": 100.001") != nullptr);
    CHECK(strstr(json, "\"filter_hz\": null, \"lead\": \"II\"") != nullptr);
}

TEST("a batch's wall time is its first sample's") {
    Bench bench;
    bench.node.connected();
    bench.world.wall_us = 1'795'406'400'000'000;
    bench.sample();  // 200 ms pass after the first sample
    bench.node.step();
    CHECK_EQUAL(bench.last().wall_us, 1'795'406'399'800'000);
    CHECK_EQUAL(bench.last().flags, bedside::flag::kClockSynced);
}

TEST("a client that takes nothing is not asked again in the same round") {
    Bench bench;
    bench.node.connected();
    bench.world.takes = false;
    bench.sample();
    bench.node.step();
    CHECK_EQUAL(bench.uplink.in_flight_batches(), 0);
    bench.world.takes = true;
    bench.world.now_us += 100'000;
    bench.node.step();
    CHECK_EQUAL(bench.world.batches, 1);
}

TEST("after a reconnect the unconfirmed is sent again, unless the client does that itself") {
    for (int turn = 0; turn < 2; ++turn) {
        const bool client_keeps = turn == 1;
        Bench bench;
        bench.node.connected();
        bench.sample();
        bench.node.step();
        bench.node.disconnected(client_keeps);
        bench.node.connected();
        bench.world.now_us += 1'000'000;
        bench.node.step();
        CHECK_EQUAL(bench.world.batches, client_keeps ? 1 : 2);
        // Tokens 1 and 2 went to meta and status.
        bench.node.expired(3);
        bench.world.now_us += 1'000'000;
        bench.node.step();
        CHECK_EQUAL(bench.world.batches, 2);
    }
}

TEST("an acknowledgement frees, and bytes that are none are counted") {
    Bench bench;
    bench.node.connected();
    bench.sample();
    bench.node.step();
    bench.node.published(3);
    uint8_t payload[bedside::kMaxAckBytes];
    const bedside::Ack ack{0xDEADBEEFU, 0, 0, {}};
    const size_t size = bedside::encode_ack(ack, payload, sizeof payload);
    bench.node.heard_ack(payload, size - 1);
    CHECK_EQUAL(bench.node.refused_acks(), 1);
    CHECK_EQUAL(bench.uplink.backlog_batches(), 1);
    bench.node.heard_ack(payload, size);
    CHECK_EQUAL(bench.uplink.backlog_batches(), 0);
}

TEST("commands are JSON strings, and unknown ones are ignored") {
    CHECK(told("\"identify\"") == Command::kIdentify);
    CHECK(told("\"update\"") == Command::kUpdate);
    CHECK(told(" \"reboot\"\r\n") == Command::kReboot);
    CHECK(told("\t\"idle\"") == Command::kIdle);
    CHECK(told("\"resume\"") == Command::kResume);
    CHECK(told("") == Command::kUnknown);
    CHECK(told(" ") == Command::kUnknown);
    CHECK(told("reboot") == Command::kUnknown);
    CHECK(told("\"rebooty") == Command::kUnknown);
}

TEST("a node's name is 1 to 32 of a-z, 0-9 and -") {
    CHECK(bedside::is_node_name("bed-1"));
    CHECK(bedside::is_node_name("0123456789abcdefghijklmnopqrstuv"));
    CHECK(!bedside::is_node_name("0123456789abcdefghijklmnopqrstuvw"));
    CHECK(!bedside::is_node_name(""));
    CHECK(!bedside::is_node_name("Bed"));
    CHECK(!bedside::is_node_name("a/b"));
    CHECK(!bedside::is_node_name("a{"));
}

TEST("the rate is measured over half an hour of synced wall time") {
    RateMeter meter(250'000);
    meter.anchor(0, 0);
    meter.anchor(100, 1'000'000'000'000'000);
    meter.anchor(100 + 249'990, 1'000'001'000'000'000);
    CHECK_EQUAL(meter.rate_mhz(), 250'000);
    // 40 ppm slow.
    meter.anchor(100 + 449'982, 1'000'001'800'000'000);
    CHECK_EQUAL(meter.rate_mhz(), 249'990);
}

TEST("a step of the wall clock is no measurement") {
    RateMeter meter(250'000);
    meter.anchor(0, 1'000'000'000'000'000);
    meter.anchor(450'000, 1'000'003'600'000'000);  // an hour in half an hour
    CHECK_EQUAL(meter.rate_mhz(), 250'000);
    meter.anchor(450'250, 1'000'000'000'000'000);  // and back
    meter.anchor(450'500, 1'000'000'001'000'000);
    meter.anchor(450'250 + 450'018, 1'000'001'800'000'000);
    CHECK_EQUAL(meter.rate_mhz(), 250'010);
    meter.anchor(2 * 450'000, 1'000'003'601'000'000);
    CHECK_EQUAL(meter.rate_mhz(), 250'010);
}

TEST("text that does not fit is cut and says so") {
    char buffer[8];
    bedside::Text text(buffer, sizeof buffer);
    text.add("a").add(int32_t{INT32_MIN});
    CHECK(!text.fits());
    CHECK_EQUAL(strcmp(buffer, "a-21474"), 0);
    bedside::Text other(buffer, sizeof buffer);
    other.add(uint32_t{0}).add(int32_t{-7}).add(int32_t{7});
    CHECK(other.fits());
    CHECK_EQUAL(strcmp(buffer, "0-77"), 0);
    CHECK_EQUAL(other.size(), 4);
}

TEST("the core without its store stays within 8 KB of RAM") {
    constexpr size_t kInFlight = 32;
    constexpr size_t kQueuedCuts = 32;
    constexpr size_t kBytes = sizeof(Node) + sizeof(Uplink) + sizeof(Store) +
                              kInFlight * sizeof(Uplink::InFlight) + sizeof(bedside::Acquisition) +
                              sizeof(bedside::Calibration) + sizeof(bedside::Batcher) +
                              kQueuedCuts * sizeof(Cut);
    CHECK(kBytes <= 8192);
}
