#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

// The world around main/ on a host: a timer, a converter, pins, NVS and a broker, all of them the
// test's. Time stands still until the test lets it run, and runs only while every task waits.

namespace shim {

struct Message {
    std::string topic;
    std::vector<std::uint8_t> bytes;
    bool retain;
    int token;
    std::int64_t at_us;
};

/// Set before or between runs.
struct World {
    std::map<std::string, std::string> nvs;
    std::function<int(std::int64_t tick)> raw = [](std::int64_t) { return 2048; };
    std::function<bool(std::int64_t tick)> converter_fails = [](std::int64_t) { return false; };
    /// Ticks that the sampler sleeps through: the timer goes on, its answer comes late.
    std::function<int(std::int64_t tick)> held_up_ticks = [](std::int64_t) { return 0; };
    std::map<int, int> pins;
    bool broker_is_up = false;
    bool broker_confirms = true;
    bool outbox_is_full = false;
    bool broker_grants = true;
    int refused_subscriptions = 0;
    std::size_t largest_block = SIZE_MAX;
    bool update_arrives = false;
    std::uint32_t boot_id = 0xB007;
    // What main/ did.
    std::vector<Message> published;
    std::vector<std::string> subscribed;
    std::vector<std::pair<std::string, std::string>> updates;  ///< URL and CA
    std::vector<std::string> errors;
    std::string uri, ca, username, password, client_id, will_topic, will, ssid;
    std::uint64_t outbox_limit = 0;
    std::int64_t ticks = 0;
    int restarts = 0;
    int update_confirmations = 0;
    int watchdog_resets = 0;
    bool enqueued_by_sampler = false;
};
World& world();

/// Lets this many ticks of 500 µs pass.
void run_ticks(std::int64_t count);

/// Lets the tasks do what there is to do now.
void settle();

void set_broker(bool up);
void deliver(const std::string& topic, const std::vector<std::uint8_t>& bytes);
/// esp-mqtt gave up on what it holds.
void expire_outbox();
void set_time_synced();
void join_wifi(bool joined);

}  // namespace shim
