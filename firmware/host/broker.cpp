#include "broker.hpp"

#include <mosquitto.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

namespace bedside::host {
namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

}  // namespace

Broker::Broker(const Options& options, std::vector<std::string> topics, std::string will_topic,
               std::function<std::string()> will, Handlers handlers)
    : options_(options),
      topics_(std::move(topics)),
      will_topic_(std::move(will_topic)),
      will_(std::move(will)),
      handlers_(std::move(handlers)) {
    mosquitto_lib_init();
    if (!options_.password_file.empty()) {
        password_ = first_line(options_.password_file);
    }
    make_client();
}

Broker::~Broker() {
    mosquitto_destroy(client_);
    mosquitto_lib_cleanup();
}

void Broker::make_client() {
    mosquitto_destroy(client_);
    const std::string id = "node-" + options_.name + "-" + std::to_string(getpid());
    client_ = mosquitto_new(id.c_str(), true, this);
    mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
    // Otherwise a small publish can wait 40 ms for the acknowledgement of the one before it.
    mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(client_, &Broker::on_connect);
    mosquitto_publish_callback_set(client_, &Broker::on_publish);
    mosquitto_message_callback_set(client_, &Broker::on_message);
    if (!options_.username.empty()) {
        mosquitto_username_pw_set(client_, options_.username.c_str(), password_.c_str());
    }
    if (!options_.ca_file.empty()) {
        mosquitto_tls_set(client_, options_.ca_file.c_str(), nullptr, nullptr, nullptr, nullptr);
    }
    const std::string will = will_();
    mosquitto_will_set(client_, will_topic_.c_str(), static_cast<int>(will.size()), will.data(), 1,
                       true);
}

bool Broker::connect() {
    if (!options_.client_keeps) {
        make_client();
    }
    refused_.clear();
    const int code = mosquitto_connect_async(client_, options_.broker_host.c_str(),
                                             options_.broker_port, kKeepaliveS);
    if (code != MOSQ_ERR_SUCCESS) {
        fell(code == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(code));
        return false;
    }
    trying_ = true;
    give_up_ = Clock::now() + kConnectTimeout;
    return true;
}

void Broker::run(std::chrono::milliseconds duration) {
    const auto until = Clock::now() + duration;
    do {
        const auto now = Clock::now();
        if (!trying_) {
            if (now < next_attempt_) {
                std::this_thread::sleep_for(std::min(until, next_attempt_) - now);
                continue;
            }
            if (!connect()) {
                continue;
            }
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now);
        const int code =
            mosquitto_loop(client_, static_cast<int>(std::max<long>(left.count(), 0)), 1);
        if (code != MOSQ_ERR_SUCCESS) {
            fell(!refused_.empty()        ? refused_
                 : code == MOSQ_ERR_ERRNO ? std::strerror(errno)
                                          : mosquitto_strerror(code));
        } else if (!refused_.empty()) {
            fell(refused_);
        } else if (!connected_ && Clock::now() > give_up_) {
            fell("no answer");
        }
    } while (Clock::now() < until);
}

void Broker::fell(const std::string& reason) {
    trying_ = connected_ = false;
    mosquitto_disconnect(client_);
    next_attempt_ = Clock::now() + backoff_;
    backoff_ = std::min(2 * backoff_, std::chrono::milliseconds{kLongestBackoff});
    handlers_.disconnected(reason);
}

int Broker::publish(const std::string& topic, const std::uint8_t* bytes, std::size_t size,
                    bool retain) {
    int token = -1;
    if (!connected_ || mosquitto_publish(client_, &token, topic.c_str(), static_cast<int>(size),
                                         bytes, 1, retain) != MOSQ_ERR_SUCCESS) {
        return -1;
    }
    return token;
}

void Broker::leave() {
    if (connected_) {
        run(std::chrono::milliseconds{200});
        mosquitto_disconnect(client_);
    }
}

void Broker::on_connect(mosquitto* client, void* self, int code) {
    auto& broker = *static_cast<Broker*>(self);
    if (code != 0) {
        broker.refused_ = mosquitto_connack_string(code);
        return;
    }
    for (const std::string& topic : broker.topics_) {
        mosquitto_subscribe(client, nullptr, topic.c_str(), 1);
    }
    broker.connected_ = true;
    broker.backoff_ = std::chrono::milliseconds{kFirstBackoff};
    broker.handlers_.connected();
}

void Broker::on_publish(mosquitto*, void* self, int token) {
    static_cast<Broker*>(self)->handlers_.published(token);
}

void Broker::on_message(mosquitto*, void* self, const mosquitto_message* message) {
    static_cast<Broker*>(self)->handlers_.heard(message->topic,
                                                static_cast<const std::uint8_t*>(message->payload),
                                                static_cast<std::size_t>(message->payloadlen));
}

}  // namespace bedside::host
