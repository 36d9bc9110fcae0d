#include "node.hpp"

#include <string.h>

#include "text.hpp"

namespace bedside {
namespace {

constexpr struct {
    const char* json;
    Command command;
} kCommands[] = {
    {"\"identify\"", Command::kIdentify}, {"\"reboot\"", Command::kReboot},
    {"\"idle\"", Command::kIdle},         {"\"resume\"", Command::kResume},
    {"\"update\"", Command::kUpdate},
};

bool is_space(uint8_t letter) {
    return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n';
}

void add_string_or_null(Text& into, const char* text) {
    if (text == nullptr) {
        into.add("null");
    } else {
        into.add("\"").add(text).add("\"");
    }
}

}  // namespace

bool is_node_name(const char* name) {
    size_t length = 0;
    for (; name[length] != '\0'; ++length) {
        const char letter = name[length];
        const bool allowed =
            (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
        if (!allowed || length == Node::kMaxNameLength) {
            return false;
        }
    }
    return length > 0;
}

Node::Node(const Port& port, const Identity& identity, Uplink& uplink)
    : port_(port), identity_(identity), uplink_(uplink), rate_(identity.rate_mhz) {
    set_topic(ecg_topic_, "/ecg");
    set_topic(meta_topic_, "/meta");
    set_topic(status_topic_, "/status");
    set_topic(ack_topic_, "/ack");
    set_topic(cmd_topic_, "/cmd");
}

void Node::take(const Cut& cut) {
    const int64_t wall_now_us = port_.wall_us(port_.context);
    int64_t wall_us = 0;
    if (wall_now_us != 0) {
        wall_us = wall_now_us - (port_.now_us(port_.context) - cut.first_us);
        rate_.anchor(cut.first_sample, wall_us);
    }
    const auto sampled_ms = static_cast<uint32_t>(cut.last_us / 1000);
    if (!uplink_.keep(cut, wall_us, rate_.rate_mhz(), identity_.nv_per_lsb, sampled_ms)) {
        port_.log(port_.context, "a batch could not be encoded");
    }
}

void Node::step() {
    if (!connected_) {
        return;
    }
    uplink_.begin_round(now_ms());
    Uplink::Outgoing outgoing{};
    while (uplink_.next(outgoing)) {
        const int32_t token =
            port_.publish(port_.context, ecg_topic_, outgoing.payload, outgoing.size, false);
        if (token < 0) {
            uplink_.not_sent(outgoing);
            break;
        }
        uplink_.sent(outgoing, token);
    }
    if (port_.now_us(port_.context) >= next_status_us_) {
        say_status();
    }
}

void Node::connected() {
    connected_ = true;
    say_meta();
    say_status();
}

void Node::disconnected(bool client_keeps) {
    connected_ = false;
    if (!client_keeps) {
        uplink_.disconnected();
    }
}

void Node::expired(int32_t token) {
    ++expired_;
    uplink_.expired(token);
}

void Node::heard_ack(const uint8_t* payload, size_t size) {
    Ack ack{};
    if (decode_ack(payload, size, ack) != Refusal::kNone) {
        ++refused_acks_;
        port_.log(port_.context, "an acknowledgement was refused");
        return;
    }
    uplink_.acknowledged(ack);
}

Command Node::heard_command(const uint8_t* payload, size_t size) {
    while (size > 0 && is_space(payload[size - 1])) {
        --size;
    }
    while (size > 0 && is_space(payload[0])) {
        ++payload;
        --size;
    }
    for (const auto& each : kCommands) {
        if (strlen(each.json) == size && memcmp(each.json, payload, size) == 0) {
            return each.command;
        }
    }
    return Command::kUnknown;
}

void Node::status(Text& into, bool online) const {
    const int32_t free_heap = port_.free_heap(port_.context);
    const int32_t rssi_dbm = port_.rssi_dbm(port_.context);
    const uint32_t backlog_ds = uplink_.backlog_ms(now_ms()) / 100;
    const int64_t missed_ticks = port_.missed_ticks(port_.context);
    into.add("{\"state\": \"").add(online ? "online" : "offline");
    into.add("\", \"boot_id\": ").add(uplink_.boot_id());
    into.add(", \"free_heap\": ");
    if (free_heap < 0) {
        into.add("null");
    } else {
        into.add(free_heap);
    }
    into.add(", \"backlog_s\": ").add(backlog_ds / 10).add(".").add(backlog_ds % 10);
    into.add(", \"dropped\": ").add(uplink_.dropped());
    into.add(", \"expired\": ").add(expired_);
    into.add(", \"missed_ticks\": ");
    if (missed_ticks < 0) {
        into.add("null");
    } else {
        into.add(static_cast<uint32_t>(missed_ticks));
    }
    into.add(", \"rssi\": ");
    if (rssi_dbm == 0) {
        into.add("null");
    } else {
        into.add(rssi_dbm);
    }
    into.add("}");
}

void Node::meta(Text& into) const {
    const uint32_t fraction = identity_.rate_mhz % 1000;
    into.add("{\"device\": ");
    add_string_or_null(into, identity_.device);
    into.add(", \"firmware\": ");
    add_string_or_null(into, identity_.firmware);
    into.add(", \"rate_hz\": ").add(identity_.rate_mhz / 1000).add(".");
    into.add(fraction / 100).add(fraction / 10 % 10).add(fraction % 10);
    into.add(", \"units\": \"mV\", \"nv_per_lsb\": ").add(identity_.nv_per_lsb);
    into.add(", \"filter_hz\": ")
        .add(identity_.filter_hz == nullptr ? "null" : identity_.filter_hz);
    into.add(", \"lead\": ");
    add_string_or_null(into, identity_.lead);
    into.add(", \"wire\": ").add(uint32_t{kWireVersion}).add("}");
}

uint32_t Node::now_ms() const {
    return static_cast<uint32_t>(port_.now_us(port_.context) / 1000);
}

void Node::set_topic(Topic& topic, const char* kind) const {
    Text(topic, sizeof topic).add("bedside/v1/").add(identity_.name).add(kind);
}

void Node::say_status() {
    char json[kMaxJsonBytes];
    Text text(json, sizeof json);
    status(text, true);
    port_.publish(port_.context, status_topic_, reinterpret_cast<const uint8_t*>(json), text.size(),
                  true);
    next_status_us_ = port_.now_us(port_.context) + kStatusEveryUs;
}

void Node::say_meta() const {
    char json[kMaxJsonBytes];
    Text text(json, sizeof json);
    meta(text);
    port_.publish(port_.context, meta_topic_, reinterpret_cast<const uint8_t*>(json), text.size(),
                  true);
}

}  // namespace bedside
