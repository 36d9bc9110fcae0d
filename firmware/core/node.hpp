#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../port/port.hpp"
#include "batcher.hpp"
#include "rate.hpp"
#include "text.hpp"
#include "uplink.hpp"

namespace bedside {

/// What the bedside asks of a node.
enum class Command : uint8_t {
    kUnknown,
    kIdentify,
    kReboot,
    kIdle,    ///< switch the front end off
    kResume,  ///< and on again
    kUpdate,  ///< fetch new firmware
};

/// True for 1 to 32 of a-z, 0-9 and -.
bool is_node_name(const char* name);

/// One boot of a node as its broker sees it: batches, acknowledgements, status. Single-threaded.
class Node {
  public:
    static constexpr size_t kMaxNameLength = 32;
    static constexpr size_t kMaxTopicBytes = 11 + kMaxNameLength + 7 + 1;
    static constexpr size_t kMaxJsonBytes = 256;
    static constexpr int64_t kStatusEveryUs = 10'000'000;

    /// Text must outlive the node. Null where `lead` or `filter_hz` ("[0.5, 40]") is not known.
    struct Identity {
        const char* name;
        const char* device;
        const char* firmware;
        const char* lead;
        const char* filter_hz;
        uint32_t rate_mhz;
        uint32_t nv_per_lsb;
    };

    Node(const Port& port, const Identity& identity, Uplink& uplink);

    /// Keeps a batch that was just sampled.
    void take(const Cut& cut);

    /// Sends what is due. Call it often: every 50 ms, and after each batch.
    void step();

    void connected();

    /// `client_keeps`: whether the MQTT client sends again by itself what it holds.
    void disconnected(bool client_keeps);

    void published(int32_t token) { uplink_.published(token); }
    void expired(int32_t token);

    void heard_ack(const uint8_t* payload, size_t size);
    static Command heard_command(const uint8_t* payload, size_t size);

    /// The status as JSON; with `online` false it is also the last will.
    void status(Text& into, bool online) const;
    void meta(Text& into) const;

    const char* ecg_topic() const { return ecg_topic_; }
    const char* meta_topic() const { return meta_topic_; }
    const char* status_topic() const { return status_topic_; }
    const char* ack_topic() const { return ack_topic_; }
    const char* cmd_topic() const { return cmd_topic_; }

    uint32_t refused_acks() const { return refused_acks_; }

  private:
    using Topic = char[kMaxTopicBytes];

    uint32_t now_ms() const;
    void set_topic(Topic& topic, const char* kind) const;
    void say_status();
    void say_meta() const;

    Port port_;
    Identity identity_;
    Uplink& uplink_;
    RateMeter rate_;
    bool connected_ = false;
    int64_t next_status_us_ = 0;
    uint32_t refused_acks_ = 0;
    uint32_t expired_ = 0;
    Topic ecg_topic_;
    Topic meta_topic_;
    Topic status_topic_;
    Topic ack_topic_;
    Topic cmd_topic_;
};

}  // namespace bedside
