#include "publisher.hpp"

#include <string.h>

#include "../core/calibration.hpp"
#include "../core/node.hpp"
#include "../core/placement.hpp"
#include "../core/text.hpp"
#include "esp_err.h"
#include "esp_heap_caps.h"
#include "esp_log.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/task.h"
#include "front_end.hpp"
#include "mqtt_client.h"
#include "network.hpp"
#include "sampler.hpp"
#include "sdkconfig.h"
#include "update.hpp"

namespace bedside::node {
namespace {

constexpr const char* kTag = "publisher";
constexpr uint32_t kStackBytes = 6144;
constexpr UBaseType_t kPriority = 5;
constexpr size_t kInFlight = 16;
constexpr UBaseType_t kIncoming = 2 * kInFlight;
constexpr uint64_t kOutboxBytes = 8192;
constexpr uint16_t kResendPerS = 20;
constexpr int kKeepaliveS = 10;
constexpr int kNetworkTimeoutMs = 5000;
constexpr int kReconnectMs = 2000;
constexpr TickType_t kStep = pdMS_TO_TICKS(20);
constexpr int64_t kIdentifyUs = 10'000'000;
constexpr int64_t kNewsEveryUs = 10'000'000;
constexpr size_t kLeastStoreBytes = 8192;
// Of a subscription, besides the message id of a request; ids begin with 1.
constexpr int kNotAsked = -1;
constexpr int kAnswered = 0;
constexpr const char* kFirmware = "0.1.0";

/// What the MQTT client's task tells the publisher's.
struct Incoming {
    enum class Kind : uint8_t {
        kConnected,
        kDisconnected,
        kSubscribed,
        kPublished,
        kDeleted,
        kAck,
        kCommand,
    };
    Kind kind;
    uint8_t size;
    int32_t token;
    uint8_t bytes[kMaxAckBytes];
};
static_assert(kMaxAckBytes <= UINT8_MAX);

QueueHandle_t incoming = nullptr;
bool an_event_was_lost = false;
esp_mqtt_client_handle_t client = nullptr;
Node* node = nullptr;

void tell(const Incoming& event) {
    // The client calls with its lock held, and the publisher may be waiting for that lock.
    if (xQueueSend(incoming, &event, 0) != pdTRUE) {
        __atomic_store_n(&an_event_was_lost, true, __ATOMIC_RELAXED);
    }
}

bool is_topic(const esp_mqtt_event_t& event, const char* topic) {
    const size_t length = strlen(topic);
    return static_cast<size_t>(event.topic_len) == length &&
           memcmp(event.topic, topic, length) == 0;
}

void hear(const esp_mqtt_event_t& event, Incoming& told) {
    const bool whole = event.data_len == event.total_data_len &&
                       static_cast<size_t>(event.data_len) <= sizeof told.bytes;
    if (!whole) {
        ESP_LOGW(kTag, "a message of %d bytes was ignored", event.total_data_len);
        return;
    }
    told.kind =
        is_topic(event, node->ack_topic()) ? Incoming::Kind::kAck : Incoming::Kind::kCommand;
    told.size = static_cast<uint8_t>(event.data_len);
    memcpy(told.bytes, event.data, told.size);
    tell(told);
}

void on_mqtt(void*, esp_event_base_t, int32_t id, void* data) {
    const auto& event = *static_cast<const esp_mqtt_event_t*>(data);
    Incoming told = {};
    told.token = event.msg_id;
    switch (static_cast<esp_mqtt_event_id_t>(id)) {
        case MQTT_EVENT_CONNECTED:
            told.kind = Incoming::Kind::kConnected;
            tell(told);
            break;
        case MQTT_EVENT_DISCONNECTED:
            told.kind = Incoming::Kind::kDisconnected;
            tell(told);
            break;
        case MQTT_EVENT_PUBLISHED:
            told.kind = Incoming::Kind::kPublished;
            tell(told);
            break;
        case MQTT_EVENT_DELETED:
            told.kind = Incoming::Kind::kDeleted;
            tell(told);
            break;
        case MQTT_EVENT_DATA:
            hear(event, told);
            break;
        case MQTT_EVENT_SUBSCRIBED:
            if (event.error_handle != nullptr &&
                event.error_handle->error_type == MQTT_ERROR_TYPE_SUBSCRIBE_FAILED) {
                ESP_LOGE(kTag, "the broker does not let this node read its ack and cmd");
            }
            told.kind = Incoming::Kind::kSubscribed;
            tell(told);
            break;
        default:
            break;
    }
}

int32_t enqueue(void*, const char* topic, const uint8_t* bytes, size_t size, bool retain) {
    // −1: failed, −2: the outbox is full. Both mean later.
    const int token = esp_mqtt_client_enqueue(client, topic, reinterpret_cast<const char*>(bytes),
                                              static_cast<int>(size), 1, retain ? 1 : 0, true);
    return token >= 0 ? token : -1;
}

Port make_port() {
    return {nullptr,
            [](void*) { return esp_timer_get_time(); },
            [](void*) { return wall_us(); },
            &enqueue,
            [](void*) { return static_cast<int32_t>(esp_get_free_heap_size()); },
            [](void*) { return int64_t{sampler_counts().missed_ticks}; },
            [](void*) { return rssi_dbm(); },
            [](void*, const char* text) { ESP_LOGW(kTag, "%s", text); }};
}

/// PSRAM where there is some, else as much of the internal memory as is wanted and free.
Store& make_store() {
    const size_t useful = Store::words_for(Store::kNone, kBatchSamples) * sizeof(uint32_t);
    size_t bytes = heap_caps_get_largest_free_block(MALLOC_CAP_SPIRAM);
    uint32_t caps = MALLOC_CAP_SPIRAM;
    if (bytes < kLeastStoreBytes) {
        bytes = size_t{CONFIG_BEDSIDE_STORE_KB} * 1024;
        caps = MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT;
    }
    bytes = bytes < useful ? bytes : useful;
    auto* words = static_cast<uint32_t*>(heap_caps_malloc(bytes, caps));
    while (words == nullptr && bytes / 2 >= kLeastStoreBytes) {
        bytes /= 2;
        words = static_cast<uint32_t*>(heap_caps_malloc(bytes, caps));
    }
    ESP_ERROR_CHECK(words != nullptr ? ESP_OK : ESP_ERR_NO_MEM);
    alignas(Store) static uint8_t memory[sizeof(Store)];
    return *new (memory) Store(words, bytes / sizeof *words, kBatchSamples);
}

void start_client(const Credentials& credentials) {
    static char will[Node::kMaxJsonBytes];
    Text text(will, sizeof will);
    node->status(text, false);
    esp_mqtt_client_config_t config = {};
    config.broker.address.uri = credentials.broker_uri;
    config.broker.verification.certificate = credentials.ca_pem;
    config.credentials.username = credentials.name;
    config.credentials.client_id = credentials.name;
    config.credentials.authentication.password = credentials.broker_password;
    config.session.protocol_ver = MQTT_PROTOCOL_V_3_1_1;
    config.session.keepalive = kKeepaliveS;
    config.session.last_will.topic = node->status_topic();
    config.session.last_will.msg = will;
    config.session.last_will.msg_len = static_cast<int>(text.size());
    config.session.last_will.qos = 1;
    config.session.last_will.retain = 1;
    config.network.timeout_ms = kNetworkTimeoutMs;
    config.network.reconnect_timeout_ms = kReconnectMs;
    config.outbox.limit = kOutboxBytes;
    client = esp_mqtt_client_init(&config);
    ESP_ERROR_CHECK(client != nullptr ? ESP_OK : ESP_ERR_NO_MEM);
    ESP_ERROR_CHECK(esp_mqtt_client_register_event(client, MQTT_EVENT_ANY, &on_mqtt, nullptr));
    ESP_ERROR_CHECK(esp_mqtt_client_start(client));
}

/// What the publisher's task remembers between two rounds.
struct State {
    const Credentials& credentials;
    int64_t identify_until_us = 0;
    bool connected = false;
    int ack_token = kNotAsked;  ///< of the subscription over this connection
    int cmd_token = kNotAsked;
    SamplerCounts told = {};
    int64_t next_news_us = 0;
};

void obey(Command command, State& state) {
    switch (command) {
        case Command::kIdentify:
            state.identify_until_us = esp_timer_get_time() + kIdentifyUs;
            break;
        case Command::kReboot:
            esp_restart();
            break;
        case Command::kIdle:
            set_idle(true);
            break;
        case Command::kResume:
            set_idle(false);
            break;
        case Command::kUpdate:
            start_update(state.credentials);
            break;
        default:
            ESP_LOGW(kTag, "a command was not understood");
    }
}

void answer(const Incoming& event, State& state) {
    switch (event.kind) {
        case Incoming::Kind::kConnected:
            state.connected = true;
            state.ack_token = state.cmd_token = kNotAsked;
            node->connected();
            confirm_update();
            break;
        case Incoming::Kind::kDisconnected:
            state.connected = false;
            node->disconnected(true);
            break;
        case Incoming::Kind::kSubscribed:
            state.ack_token = event.token == state.ack_token ? kAnswered : state.ack_token;
            state.cmd_token = event.token == state.cmd_token ? kAnswered : state.cmd_token;
            break;
        case Incoming::Kind::kPublished:
            node->published(event.token);
            break;
        case Incoming::Kind::kDeleted:
            if (event.token == state.ack_token) {
                state.ack_token = kNotAsked;
            } else if (event.token == state.cmd_token) {
                state.cmd_token = kNotAsked;
            } else {
                node->expired(event.token);
            }
            break;
        case Incoming::Kind::kAck:
            node->heard_ack(event.bytes, event.size);
            break;
        case Incoming::Kind::kCommand:
            obey(Node::heard_command(event.bytes, event.size), state);
            break;
    }
}

/// Without its acknowledgements a node would fill its store: asked for until the client takes it.
void subscribe(State& state) {
    if (state.connected && state.ack_token < 0) {
        state.ack_token = esp_mqtt_client_subscribe(client, node->ack_topic(), 1);
    }
    if (state.connected && state.cmd_token < 0) {
        state.cmd_token = esp_mqtt_client_subscribe(client, node->cmd_topic(), 1);
    }
}

/// What the sampler could not do, as soon as it grows, but no more than every 10 s.
void tell_of_sampler(State& state, int64_t now_us) {
    const SamplerCounts now = sampler_counts();
    const bool grown = now.missed_ticks != state.told.missed_ticks ||
                       now.failed_readings != state.told.failed_readings ||
                       now.lost_cuts != state.told.lost_cuts;
    if (grown && now_us >= state.next_news_us) {
        ESP_LOGW(kTag, "since boot %u ticks missed, %u readings failed, %u batches lost",
                 static_cast<unsigned>(now.missed_ticks),
                 static_cast<unsigned>(now.failed_readings), static_cast<unsigned>(now.lost_cuts));
        state.told = now;
        state.next_news_us = now_us + kNewsEveryUs;
    }
}

struct Task {
    const Credentials* credentials;
    QueueHandle_t cuts;
};

void run(void* argument) {
    const Task& task = *static_cast<const Task*>(argument);
    Store& store = make_store();
    static Uplink::InFlight in_flight[kInFlight];
    static Uplink uplink(store, in_flight, kInFlight, {esp_random(), 0, kResendPerS});
    static Node the_node(make_port(),
                         {task.credentials->name, CONFIG_IDF_TARGET, kFirmware, nullptr,
                          "[0.5, 40]", 250'000, Calibration::kNvPerLsb},
                         uplink);
    node = &the_node;
    ESP_LOGI(kTag, "room for %u batches", static_cast<unsigned>(store.capacity()));
    ESP_ERROR_CHECK(esp_task_wdt_add(nullptr));
    start_client(*task.credentials);
    State state = {*task.credentials};
    Incoming event = {};
    Cut cut = {};
    while (true) {
        if (xQueueReceive(incoming, &event, kStep) == pdTRUE) {
            answer(event, state);
        }
        subscribe(state);
        if (__atomic_exchange_n(&an_event_was_lost, false, __ATOMIC_RELAXED)) {
            // One of them may have been a PUBACK: send again, the bedside knows duplicates.
            uplink.disconnected();
        }
        while (xQueueReceive(task.cuts, &cut, 0) == pdTRUE) {
            node->take(cut);
        }
        node->step();
        const int64_t now_us = esp_timer_get_time();
        switch_led(now_us < state.identify_until_us && now_us / 250'000 % 2 == 0);
        tell_of_sampler(state, now_us);
        ESP_ERROR_CHECK(esp_task_wdt_reset());
    }
}

}  // namespace

void start_publisher(const Credentials& credentials, QueueHandle_t cuts) {
    static Task task;
    task = {&credentials, cuts};
    incoming = xQueueCreate(kIncoming, sizeof(Incoming));
    ESP_ERROR_CHECK(incoming != nullptr ? ESP_OK : ESP_ERR_NO_MEM);
    const BaseType_t started =
        xTaskCreatePinnedToCore(&run, "publisher", kStackBytes, &task, kPriority, nullptr, 0);
    ESP_ERROR_CHECK(started == pdPASS ? ESP_OK : ESP_ERR_NO_MEM);
}

}  // namespace bedside::node
