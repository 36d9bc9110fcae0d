#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "options.hpp"

struct mosquitto;
struct mosquitto_message;

namespace bedside::host {

/// A connection to the broker that comes back by itself; single-threaded, driven by `run`.
class Broker {
  public:
    struct Handlers {
        std::function<void()> connected;
        std::function<void(const std::string& reason)> disconnected;
        std::function<void(int token)> published;
        std::function<void(const std::string& topic, const std::uint8_t* bytes, std::size_t size)>
            heard;
    };

    /// `will` is what the broker says on `will_topic` when this process dies.
    Broker(const Options& options, std::vector<std::string> topics, std::string will_topic,
           std::function<std::string()> will, Handlers handlers);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// Reads, writes and reconnects for as long as this.
    void run(std::chrono::milliseconds duration);

    /// At QoS 1; the token of its PUBACK, or −1.
    int publish(const std::string& topic, const std::uint8_t* bytes, std::size_t size, bool retain);

    /// Hands over what was published and leaves in order.
    void leave();

  private:
    using Clock = std::chrono::steady_clock;

    bool connect();
    void make_client();
    void fell(const std::string& reason);
    static void on_connect(mosquitto* client, void* self, int code);
    static void on_publish(mosquitto* client, void* self, int token);
    static void on_message(mosquitto* client, void* self, const mosquitto_message* message);

    Options options_;
    std::vector<std::string> topics_;
    std::string will_topic_;
    std::function<std::string()> will_;
    Handlers handlers_;
    std::string password_;
    mosquitto* client_ = nullptr;
    bool trying_ = false;
    bool connected_ = false;
    std::string refused_;
    Clock::time_point give_up_;
    Clock::time_point next_attempt_;
    std::chrono::milliseconds backoff_{kFirstBackoff};

    static constexpr std::chrono::milliseconds kFirstBackoff{100};
    static constexpr std::chrono::milliseconds kLongestBackoff{5000};
    static constexpr std::chrono::milliseconds kConnectTimeout{5000};
    static constexpr int kKeepaliveS = 5;
};

}  // namespace bedside::host
