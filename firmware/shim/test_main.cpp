#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "../core/calibration.hpp"
#include "../core/wire.hpp"
#include "world.hpp"

// main/ as it is, run from app_main on with a world that the test makes. Tasks never end, so that
// each scenario is a process.

extern "C" void app_main();

namespace {

using shim::world;
namespace flag = bedside::flag;

constexpr std::int64_t kSecond = 2000;
constexpr int kLoPlus = 32;
constexpr int kShutdown = 25;
constexpr int kLed = 26;
const std::string kEcg = "bedside/v1/icu-1/ecg";

int failures = 0;

void check(bool holds, const char* what, int line) {
    if (!holds) {
        std::printf("line %d: %s does not hold\n", line, what);
        ++failures;
    }
}
#define CHECK(condition) check(condition, #condition, __LINE__)

struct Batch {
    bedside::BatchHeader header;
    std::int16_t samples[bedside::kMaxSamples];
};

std::vector<Batch> batches_from(std::size_t first_message) {
    std::vector<Batch> batches;
    for (std::size_t i = first_message; i < world().published.size(); ++i) {
        const shim::Message& message = world().published[i];
        if (message.topic == kEcg) {
            Batch batch{};
            const auto refusal = bedside::decode_batch(message.bytes.data(), message.bytes.size(),
                                                       batch.header, batch.samples);
            CHECK(refusal == bedside::Refusal::kNone);
            CHECK(!message.retain);
            batches.push_back(batch);
        }
    }
    return batches;
}

void provision() {
    world().nvs = {{"name", "icu-1"},
                   {"ssid", "ward"},
                   {"wifi_pass", "wifi-secret"},
                   {"broker_uri", "mqtts://broker.local:8883"},
                   {"broker_pass", "secret"},
                   {"ca", "-----BEGIN CERTIFICATE-----"}};
}

void acknowledge(std::uint32_t cumulative) {
    bedside::Ack ack{};
    ack.boot_id = world().boot_id;
    ack.cumulative = cumulative;
    std::vector<std::uint8_t> bytes(bedside::kMaxAckBytes);
    bytes.resize(bedside::encode_ack(ack, bytes.data(), bytes.size()));
    shim::deliver("bedside/v1/icu-1/ack", bytes);
}

void command(const char* json) {
    shim::deliver("bedside/v1/icu-1/cmd", {json, json + std::strlen(json)});
}

bool was_logged(const char* text) {
    for (const std::string& error : world().errors) {
        if (error.find(text) != std::string::npos) {
            return true;
        }
    }
    return false;
}

std::vector<std::string> statuses() {
    std::vector<std::string> texts;
    for (const shim::Message& message : world().published) {
        if (message.topic == "bedside/v1/icu-1/status") {
            CHECK(message.retain);
            texts.emplace_back(message.bytes.begin(), message.bytes.end());
        }
    }
    return texts;
}

bool was_told_last(const char* in_status) {
    return statuses().back().find(in_status) != std::string::npos;
}

void unprovisioned() {
    app_main();
    CHECK(was_logged("provision this node"));
    provision();
    world().nvs.erase("ca");
    app_main();
    CHECK(was_logged("ca is missing"));
    provision();
    world().nvs["name"] = "ICU";
    app_main();
    CHECK(was_logged("a name is 1 to 32"));
    CHECK(world().uri.empty());
}

void plain_broker() {
    provision();
    world().nvs["broker_uri"] = "mqtt://broker.local:1883";
    app_main();
    CHECK(was_logged("must be mqtts://"));
    CHECK(world().uri.empty());
}

void starts_and_samples() {
    provision();
    // A slow triangle, so that every sample says when it was taken.
    world().raw = [](std::int64_t tick) {
        const auto phase = static_cast<int>(tick % 4000);
        return 1500 + (phase < 2000 ? phase : 4000 - phase) / 2;
    };
    app_main();
    shim::settle();
    CHECK(world().uri == "mqtts://broker.local:8883");
    CHECK(world().ca == "-----BEGIN CERTIFICATE-----");
    CHECK(world().username == "icu-1");
    CHECK(world().client_id == "icu-1");
    CHECK(world().password == "secret");
    CHECK(world().ssid == "ward");
    CHECK(world().outbox_limit > 0);
    CHECK(world().will_topic == "bedside/v1/icu-1/status");
    CHECK(world().will.find("\"offline\"") != std::string::npos);
    CHECK(world().pins[kShutdown] == 1);

    shim::run_ticks(10 * kSecond);
    CHECK(world().published.empty());
    // The client takes neither request at first, and then loses one.
    world().refused_subscriptions = 2;
    world().broker_confirms = false;
    shim::set_broker(true);
    CHECK(world().update_confirmations == 1);
    CHECK(world().subscribed.empty());
    CHECK(was_told_last("\"expired\": 0,"));
    shim::run_ticks(100);
    CHECK((world().subscribed ==
           std::vector<std::string>{"bedside/v1/icu-1/ack", "bedside/v1/icu-1/cmd"}));
    shim::expire_outbox();
    shim::run_ticks(100);
    CHECK((world().subscribed ==
           std::vector<std::string>{"bedside/v1/icu-1/ack", "bedside/v1/icu-1/cmd",
                                    "bedside/v1/icu-1/ack", "bedside/v1/icu-1/cmd"}));
    world().broker_confirms = true;
    shim::run_ticks(10 * kSecond);
    CHECK(world().subscribed.size() == 4);
    const std::vector<Batch> batches = batches_from(0);
    std::map<std::uint64_t, std::int16_t> signal;
    for (const Batch& batch : batches) {
        for (std::uint16_t i = 0; i < batch.header.count; ++i) {
            signal[batch.header.first_sample + i] = batch.samples[i];
        }
    }
    CHECK(signal.size() >= 19 * 250);
    CHECK(signal.rbegin()->first - signal.begin()->first + 1 == signal.size());
    bedside::Calibration calibration;
    calibration.build([](void*, int raw) { return raw * 3300 / 4096; }, nullptr, 1650, 1'100'000);
    int worst = 0;
    for (const auto& [index, sample] : signal) {
        // Sample n stands for what was there 39.5 ticks before tick 8 n + 8; half a code is lost.
        const auto at_half_ticks = static_cast<std::int64_t>(2 * (8 * index + 8)) - 79;
        const std::int64_t phase = at_half_ticks % 8000;
        const std::int64_t from_turn = phase < 4000 ? phase : 8000 - phase;
        if (from_turn < 160 || from_turn > 3840 || at_half_ticks < 400) {
            continue;  // the triangle's corners are rounded by the filter
        }
        const int quarter_codes = static_cast<int>(4 * 1500 + from_turn - 1);
        const int low = calibration.at(quarter_codes / 4);
        const int high = calibration.at(quarter_codes / 4 + 1);
        const int expected = low + (high - low) * (quarter_codes % 4) / 4;
        worst = std::max(worst, std::abs(sample - expected));
    }
    std::printf("worst sample: %d × 100 nV off the triangle\n", worst);
    CHECK(worst <= 6);
}

void loses_nothing_over_an_outage() {
    const std::vector<Batch> before = batches_from(0);
    const std::uint32_t newest = before.back().header.sequence;
    shim::set_broker(false);
    const std::size_t mark = world().published.size();
    shim::run_ticks(20 * kSecond);
    CHECK(batches_from(mark).empty());
    shim::set_broker(true);
    shim::run_ticks(15 * kSecond);
    std::set<std::uint32_t> sequences;
    for (const Batch& batch : batches_from(mark)) {
        sequences.insert(batch.header.sequence);
        CHECK(batch.header.dropped == 0);
    }
    CHECK(*sequences.begin() == newest + 1);
    CHECK(*sequences.rbegin() - newest == sequences.size());
    acknowledge(*sequences.rbegin());
    shim::run_ticks(kSecond);
    CHECK(batches_from(world().published.size() - 1).back().header.lowest_held >
          *sequences.rbegin());
}

void sends_again_what_the_client_gave_up_on() {
    world().broker_confirms = false;
    const std::size_t mark = world().published.size();
    shim::run_ticks(2 * kSecond);
    const std::size_t sent_once = batches_from(mark).size();
    // Whether a batch that is due now left already depends on which task was quicker.
    CHECK(sent_once >= 9 && sent_once <= 11);
    shim::expire_outbox();
    world().broker_confirms = true;
    shim::run_ticks(5 * kSecond);
    std::multiset<std::uint32_t> sequences;
    for (const Batch& batch : batches_from(mark)) {
        sequences.insert(batch.header.sequence);
    }
    CHECK(sequences.count(*sequences.begin()) == 2);
    shim::run_ticks(10 * kSecond);
    CHECK(!was_told_last("\"expired\": 0,"));

    world().outbox_is_full = true;
    const std::size_t full = world().published.size();
    shim::run_ticks(2 * kSecond);
    CHECK(batches_from(full).empty());
    world().outbox_is_full = false;
    shim::run_ticks(2 * kSecond);
    const std::size_t after_full = batches_from(full).size();
    CHECK(after_full >= 19 && after_full <= 21);
}

void accounts_for_every_tick() {
    const std::size_t mark = world().published.size();
    const std::int64_t now = world().ticks;
    world().held_up_ticks = [now](std::int64_t tick) {
        return tick == now + 1000 ? 5 : tick == now + 3000 ? 300 : 0;
    };
    world().converter_fails = [now](std::int64_t tick) { return tick == now + 5000; };
    shim::run_ticks(4 * kSecond);
    world().held_up_ticks = [](std::int64_t) { return 0; };
    CHECK(was_logged("since boot 4 ticks missed"));
    shim::run_ticks(10 * kSecond);
    CHECK(was_logged("since boot 304 ticks missed, 1 readings failed, 0 batches lost"));
    CHECK(was_told_last("\"missed_ticks\": 304"));
    const std::vector<Batch> batches = batches_from(mark);
    int gaps = 0;
    for (std::size_t i = 1; i < batches.size(); ++i) {
        const bedside::BatchHeader& last = batches[i - 1].header;
        const std::uint64_t skipped =
            batches[i].header.first_sample - last.first_sample - last.count;
        gaps += skipped > 0 ? 1 : 0;
        CHECK(skipped == 0 || (skipped >= 300 / 8 && skipped <= 300 / 8 + 12));
    }
    CHECK(gaps == 1);
}

void flags_what_it_cannot_trust() {
    const std::size_t mark = world().published.size();
    world().pins[kLoPlus] = 1;
    shim::run_ticks(2 * kSecond);
    world().pins[kLoPlus] = 0;
    shim::run_ticks(4 * kSecond);
    int off = 0;
    int settling = 0;
    for (const Batch& batch : batches_from(mark)) {
        off += (batch.header.flags & flag::kLeadOffPlus) != 0 ? batch.header.count : 0;
        settling += (batch.header.flags & flag::kSettling) != 0 ? batch.header.count : 0;
    }
    CHECK(off >= 500 + 20 - 6 && off <= 500 + 20 + 6);
    CHECK(settling == 500);

    const std::size_t idle = world().published.size();
    command("\"idle\"");
    shim::run_ticks(2 * kSecond);
    CHECK(world().pins[kShutdown] == 0);
    CHECK(batches_from(idle).back().header.flags == (flag::kLeadOffPlus | flag::kLeadOffMinus));
    command("\"resume\"");
    shim::run_ticks(4 * kSecond);
    CHECK(world().pins[kShutdown] == 1);
    CHECK((batches_from(idle).back().header.flags & ~flag::kClockSynced) == 0);
}

void obeys_and_tells() {
    shim::join_wifi(true);
    shim::set_time_synced();
    const std::size_t mark = world().published.size();
    command("\"identify\"");
    int lit = 0;
    for (int step = 0; step < 40; ++step) {
        shim::run_ticks(kSecond / 20);
        lit += world().pins[kLed];
    }
    CHECK(lit >= 15 && lit <= 25);
    command("\"dance\"");
    CHECK(was_logged("not understood"));
    shim::deliver("bedside/v1/icu-1/ack", {'B', 'A', 1});
    CHECK(was_logged("acknowledgement was refused"));
    shim::deliver("bedside/v1/icu-1/cmd", std::vector<std::uint8_t>(500, 'x'));
    CHECK(was_logged("was ignored"));
    shim::run_ticks(11 * kSecond);
    CHECK(world().pins[kLed] == 0);
    CHECK((batches_from(mark).back().header.flags & flag::kClockSynced) != 0);
    CHECK(was_told_last("\"free_heap\": 150000"));
    CHECK(was_told_last("\"rssi\": -57"));
    command("\"update\"");
    CHECK(was_logged("BEDSIDE_UPDATE_URL is empty"));
    CHECK(world().updates.empty());
    command("\"reboot\"");
    CHECK(world().restarts == 1);
    CHECK(world().watchdog_resets > 1000);
    CHECK(!world().enqueued_by_sampler);
}

void a_night() {
    starts_and_samples();
    loses_nothing_over_an_outage();
    sends_again_what_the_client_gave_up_on();
    accounts_for_every_tick();
    flags_what_it_cannot_trust();
    obeys_and_tells();
}

void little_memory() {
    provision();
    world().largest_block = 30'000;
    app_main();
    shim::settle();
    shim::run_ticks(60 * kSecond);
    shim::set_broker(true);
    shim::run_ticks(10 * kSecond);
    // A quarter of the 96 KB: 146 batches of 168 bytes, of the 300 that were cut and 50 more.
    const std::uint32_t dropped = batches_from(0).back().header.dropped;
    CHECK(dropped >= 300 - 146 - 3 && dropped <= 350 - 146);
}

void no_rights() {
    provision();
    world().broker_grants = false;
    app_main();
    shim::settle();
    shim::set_broker(true);
    shim::run_ticks(kSecond);
    CHECK(was_logged("does not let this node read"));
    CHECK(world().subscribed.size() == 2);
}

void updates() {
    provision();
    app_main();
    shim::settle();
    shim::set_broker(true);
    CHECK(world().updates.empty());
    command("\"update\"");
    CHECK(world().updates.size() == 1);
    CHECK(world().updates.back().first == "https://updates.local/node.bin");
    CHECK(world().updates.back().second == world().nvs["ca"]);
    CHECK(was_logged("no update: ESP_FAIL"));
    CHECK(world().restarts == 0);
    world().update_arrives = true;
    command("\"update\"");
    CHECK(world().updates.size() == 2);
    CHECK(world().restarts == 1);
}

/// What shows that a check that does not hold is seen.
void must_fail() {
    CHECK(world().restarts == 1);
}

}  // namespace

int main(int count, char** arguments) {
    const std::map<std::string, void (*)()> scenarios{
        {"unprovisioned", &unprovisioned}, {"plain_broker", &plain_broker}, {"a_night", &a_night},
        {"little_memory", &little_memory}, {"no_rights", &no_rights},       {"updates", &updates},
        {"must_fail", &must_fail}};
    const auto found = scenarios.find(count > 1 ? arguments[1] : "");
    if (found == scenarios.end()) {
        return 2;
    }
    found->second();
    std::printf("%s: %d failures after %.1f s of the node's time\n", arguments[1], failures,
                static_cast<double>(world().ticks) / kSecond);
    std::fflush(stdout);
    std::_Exit(failures == 0 ? 0 : 1);
}
