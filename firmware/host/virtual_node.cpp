#include "virtual_node.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "../core/text.hpp"

namespace bedside::host {
namespace {

constexpr std::size_t kInFlight = 16;
constexpr double kResendPerS = 20.0;
constexpr std::int64_t kLongestStepUs = 50'000;

std::int64_t wall_now_us() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

VirtualNode::Boot::Boot(const Options& options, std::uint32_t boot_id, const Port& port)
    : words(Store::words_for(options.store_batches, kBatchSamples)),
      in_flight(kInFlight),
      store(words.data(), words.size(), kBatchSamples),
      uplink(store, in_flight.data(), in_flight.size(),
             {boot_id, 0, static_cast<std::uint16_t>(kResendPerS * options.speed)}),
      node(port,
           {options.name.c_str(), "virtual node, native", "0.1.0", nullptr, nullptr,
            options.rate_mhz, options.nv_per_lsb},
           uplink) {}

VirtualNode::VirtualNode(const Options& options, Pieces& pieces)
    : options_(options),
      pieces_(pieces),
      random_(options.seed),
      started_us_(now_us()),
      started_wall_us_(wall_now_us()),
      batcher_([](void* self, const Cut& cut) { static_cast<VirtualNode*>(self)->take(cut); },
               this) {
    start_boot();
    const Node& node = boot_->node;
    broker_ = std::make_unique<Broker>(
        options_, std::vector<std::string>{node.ack_topic(), node.cmd_topic()}, node.status_topic(),
        [this] {
            char json[Node::kMaxJsonBytes];
            Text text(json, sizeof json);
            boot_->node.status(text, false);
            return std::string(json);
        },
        Broker::Handlers{[this] {
                             say("connected");
                             boot_->node.connected();
                         },
                         [this](const std::string& reason) {
                             say("disconnected", reason);
                             boot_->node.disconnected(options_.client_keeps);
                         },
                         [this](int token) { boot_->node.published(token); },
                         [this](const std::string& topic, const std::uint8_t* bytes,
                                std::size_t size) { heard(topic, bytes, size); }});
}

bool VirtualNode::run(const volatile bool& stop) {
    has_piece_ = load();
    bool ended = false;
    while (!stop) {
        const std::int64_t now = now_us();
        const std::int64_t wait_us =
            has_piece_ ? std::clamp<std::int64_t>(due_us() - now, 0, kLongestStepUs)
                       : kLongestStepUs;
        broker_->run(std::chrono::milliseconds{(wait_us + 999) / 1000});
        if (reboot_wanted_) {
            start_boot();
            boot_->node.connected();
        }
        sample(now_us());
        boot_->node.step();
        while (!swallowed_.empty()) {
            boot_->node.published(swallowed_.front());
            swallowed_.pop_front();
        }
        if (!has_piece_ && !ended) {
            ended = true;
            batcher_.flush();
            say("sampled");
        }
        if (ended && !options_.linger && boot_->uplink.backlog_batches() == 0) {
            break;
        }
    }
    char json[Node::kMaxJsonBytes];
    Text text(json, sizeof json);
    boot_->node.status(text, false);
    broker_->publish(boot_->node.status_topic(), reinterpret_cast<std::uint8_t*>(json), text.size(),
                     true);
    broker_->leave();
    say("end");
    return boot_->uplink.backlog_batches() == 0;
}

void VirtualNode::start_boot() {
    const std::uint32_t boot_id =
        options_.boot_id && !reboot_wanted_ ? *options_.boot_id : std::random_device{}();
    boot_ = std::make_unique<Boot>(options_, boot_id, port());
    boot_index_ = index_;
    reboot_wanted_ = false;
    say("boot");
}

void VirtualNode::sample(std::int64_t now) {
    while (has_piece_ && now >= due_us()) {
        index_ += piece_.skipped;
        for (const std::int16_t value : piece_.samples) {
            batcher_.push(index_ - boot_index_, value, piece_.flags, at_us(index_, options_.speed));
            ++index_;
        }
        has_piece_ = load();
    }
}

bool VirtualNode::load() {
    return pieces_.next(piece_);
}

std::int64_t VirtualNode::due_us() const {
    return at_us(index_ + piece_.skipped + piece_.samples.size(), options_.speed);
}

std::int64_t VirtualNode::at_us(std::uint64_t index, double speed) const {
    const double since_start_us = static_cast<double>(index) * 1e9 / options_.rate_mhz / speed;
    return started_us_ + static_cast<std::int64_t>(since_start_us);
}

void VirtualNode::take(Cut cut) {
    // Where the samples run faster than the clock, wall time runs with them.
    cut.first_us = at_us(cut.first_sample + boot_index_, 1.0);
    boot_->node.take(cut);
}

void VirtualNode::heard(const std::string& topic, const std::uint8_t* bytes, std::size_t size) {
    if (topic == boot_->node.ack_topic()) {
        boot_->node.heard_ack(bytes, size);
        return;
    }
    switch (Node::heard_command(bytes, size)) {
        case Command::kReboot:
            reboot_wanted_ = true;
            break;
        case Command::kIdentify:
            say("identify");
            break;
        default:
            say("ignored");
    }
}

int VirtualNode::publish(const char* topic, const std::uint8_t* bytes, std::size_t size,
                         bool retain) {
    if (!retain && options_.swallow_most > 0 && random_() % 1000 < options_.swallow_permille) {
        --options_.swallow_most;
        swallowed_.push_back(next_swallowed_);
        return next_swallowed_++;
    }
    return broker_->publish(topic, bytes, size, retain);
}

void VirtualNode::say(const char* event, const std::string& detail) const {
    std::string quoted;
    for (const char letter : detail) {
        quoted += letter == '"' || letter == '\\' ? ' ' : letter;
    }
    const Uplink& uplink = boot_->uplink;
    std::printf(
        "{\"event\": \"%s\", \"detail\": \"%s\", \"boot_id\": %u, \"backlog\": %zu, "
        "\"dropped\": %u, \"samples\": %llu}\n",
        event, quoted.c_str(), uplink.boot_id(), uplink.backlog_batches(), uplink.dropped(),
        static_cast<unsigned long long>(index_));
    std::fflush(stdout);
}

Port VirtualNode::port() {
    return {this,
            [](void*) { return now_us(); },
            [](void* self) {
                auto& node = *static_cast<VirtualNode*>(self);
                return node.started_wall_us_ + (now_us() - node.started_us_);
            },
            [](void* self, const char* topic, const std::uint8_t* bytes, std::size_t size,
               bool retain) -> std::int32_t {
                return static_cast<VirtualNode*>(self)->publish(topic, bytes, size, retain);
            },
            [](void*) -> std::int32_t { return -1; },
            [](void*) -> std::int64_t { return -1; },
            [](void*) -> std::int32_t { return 0; },
            [](void*, const char* text) { std::fprintf(stderr, "%s\n", text); }};
}

std::int64_t VirtualNode::now_us() {
    using namespace std::chrono;
    return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace bedside::host
