#pragma once

#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_event.h"

typedef struct esp_mqtt_client* esp_mqtt_client_handle_t;
typedef enum {
    MQTT_EVENT_ANY = -1,
    MQTT_EVENT_ERROR = 0,
    MQTT_EVENT_CONNECTED,
    MQTT_EVENT_DISCONNECTED,
    MQTT_EVENT_SUBSCRIBED,
    MQTT_EVENT_UNSUBSCRIBED,
    MQTT_EVENT_PUBLISHED,
    MQTT_EVENT_DATA,
    MQTT_EVENT_BEFORE_CONNECT,
    MQTT_EVENT_DELETED,
} esp_mqtt_event_id_t;
typedef enum { MQTT_PROTOCOL_UNDEFINED = 0, MQTT_PROTOCOL_V_3_1_1 = 2 } esp_mqtt_protocol_ver_t;
typedef struct {
    char* data;
    int data_len;
    int total_data_len;
    char* topic;
    int topic_len;
    int msg_id;
} esp_mqtt_event_t;
typedef struct {
    struct {
        struct {
            const char* uri;
        } address;
        struct {
            const char* certificate;
        } verification;
    } broker;
    struct {
        const char* username;
        const char* client_id;
        struct {
            const char* password;
        } authentication;
    } credentials;
    struct {
        struct {
            const char* topic;
            const char* msg;
            int msg_len;
            int qos;
            int retain;
        } last_will;
        int keepalive;
        esp_mqtt_protocol_ver_t protocol_ver;
    } session;
    struct {
        int reconnect_timeout_ms;
        int timeout_ms;
    } network;
    struct {
        uint64_t limit;
    } outbox;
} esp_mqtt_client_config_t;

extern "C" esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t* config);
extern "C" esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t client);
extern "C" esp_err_t esp_mqtt_client_register_event(esp_mqtt_client_handle_t client,
                                                    esp_mqtt_event_id_t event,
                                                    esp_event_handler_t handler, void* context);
// In IDF a macro that chooses by its argument's type.
extern "C" int esp_mqtt_client_subscribe(esp_mqtt_client_handle_t client, const char* topic,
                                         int qos);
extern "C" int esp_mqtt_client_enqueue(esp_mqtt_client_handle_t client, const char* topic,
                                       const char* data, int len, int qos, int retain, bool store);
