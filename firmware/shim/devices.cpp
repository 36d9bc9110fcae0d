#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "driver/gpio.h"
#include "esp_adc/adc_cali_scheme.h"
#include "esp_adc/adc_oneshot.h"
#include "esp_heap_caps.h"
#include "esp_https_ota.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_netif_sntp.h"
#include "esp_ota_ops.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_wifi.h"
#include "mqtt_client.h"
#include "nvs.h"
#include "nvs_flash.h"
#include "rtos.hpp"
#include "world.hpp"

namespace {

shim::World the_world;
// Between the tasks; the test itself looks only while they wait.
std::mutex guard;
esp_event_handler_t on_mqtt = nullptr;
esp_event_handler_t on_wifi = nullptr;
void (*on_time)(struct timeval*) = nullptr;
int next_token = 1;
std::vector<int> outbox;
std::vector<int> unanswered_subscriptions;

void tell(esp_mqtt_event_id_t id, esp_mqtt_event_t event) {
    on_mqtt(nullptr, nullptr, id, &event);
}

void confirm_all() {
    std::vector<int> confirmed;
    std::vector<int> subscribed;
    {
        const std::lock_guard<std::mutex> held(guard);
        if (the_world.broker_is_up && the_world.broker_confirms) {
            confirmed.swap(outbox);
            subscribed.swap(unanswered_subscriptions);
        }
    }
    for (const int token : subscribed) {
        esp_mqtt_error_codes_t errors = {};
        errors.error_type =
            the_world.broker_grants ? MQTT_ERROR_TYPE_NONE : MQTT_ERROR_TYPE_SUBSCRIBE_FAILED;
        esp_mqtt_event_t event = {};
        event.msg_id = token;
        event.error_handle = &errors;
        tell(MQTT_EVENT_SUBSCRIBED, event);
    }
    for (const int token : confirmed) {
        esp_mqtt_event_t event = {};
        event.msg_id = token;
        tell(MQTT_EVENT_PUBLISHED, event);
    }
}

}  // namespace

namespace shim {

World& world() {
    return the_world;
}

void set_broker(bool up) {
    the_world.broker_is_up = up;
    tell(up ? MQTT_EVENT_CONNECTED : MQTT_EVENT_DISCONNECTED, {});
    // esp-mqtt sends again by itself what it holds.
    confirm_all();
    settle();
}

void deliver(const std::string& topic, const std::vector<std::uint8_t>& bytes) {
    std::string topic_copy = topic;
    std::vector<std::uint8_t> copy = bytes;
    esp_mqtt_event_t event = {};
    event.topic = topic_copy.data();
    event.topic_len = static_cast<int>(topic_copy.size());
    event.data = reinterpret_cast<char*>(copy.data());
    event.data_len = event.total_data_len = static_cast<int>(copy.size());
    tell(MQTT_EVENT_DATA, event);
    settle();
}

void expire_outbox() {
    std::vector<int> expired;
    expired.swap(outbox);
    expired.insert(expired.end(), unanswered_subscriptions.begin(), unanswered_subscriptions.end());
    unanswered_subscriptions.clear();
    for (const int token : expired) {
        esp_mqtt_event_t event = {};
        event.msg_id = token;
        tell(MQTT_EVENT_DELETED, event);
        settle();
    }
}

void set_time_synced() {
    struct timeval now = {};
    on_time(&now);
}

void join_wifi(bool joined) {
    on_wifi(nullptr, WIFI_EVENT, joined ? WIFI_EVENT_STA_CONNECTED : WIFI_EVENT_STA_DISCONNECTED,
            nullptr);
}

}  // namespace shim

extern "C" {

esp_event_base_t const WIFI_EVENT = "WIFI_EVENT";

const char* esp_err_to_name(esp_err_t code) {
    return code == ESP_OK ? "ESP_OK" : "ESP_FAIL";
}

void shim_abort(const char* what, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: %s failed\n", file, line, what);
    std::abort();
}

void shim_log(char level, const char* tag, const char* format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (level == 'E' || level == 'W') {
        const std::lock_guard<std::mutex> held(guard);
        the_world.errors.push_back(std::string(tag) + ": " + text);
    }
}

uint32_t esp_random(void) {
    return the_world.boot_id;
}

void esp_restart(void) {
    ++the_world.restarts;
}

uint32_t esp_get_free_heap_size(void) {
    return 150'000;
}

void* heap_caps_malloc(size_t size, uint32_t) {
    return size > the_world.largest_block ? nullptr : std::malloc(size);
}

size_t heap_caps_get_largest_free_block(uint32_t) {
    return 0;
}

esp_err_t esp_task_wdt_add(TaskHandle_t) {
    return ESP_OK;
}

esp_err_t esp_task_wdt_reset(void) {
    const std::lock_guard<std::mutex> held(guard);
    ++the_world.watchdog_resets;
    return ESP_OK;
}

esp_err_t esp_event_loop_create_default(void) {
    return ESP_OK;
}

esp_err_t esp_event_handler_instance_register(esp_event_base_t, int32_t,
                                              esp_event_handler_t handler, void*,
                                              esp_event_handler_instance_t*) {
    on_wifi = handler;
    return ESP_OK;
}

esp_err_t esp_netif_init(void) {
    return ESP_OK;
}

esp_netif_t* esp_netif_create_default_wifi_sta(void) {
    return nullptr;
}

esp_err_t esp_netif_sntp_init(const esp_sntp_config_t* config) {
    on_time = config->sync_cb;
    return ESP_OK;
}

esp_err_t esp_wifi_init(const wifi_init_config_t*) {
    return ESP_OK;
}

esp_err_t esp_wifi_set_mode(wifi_mode_t) {
    return ESP_OK;
}

esp_err_t esp_wifi_set_storage(wifi_storage_t storage) {
    return storage == WIFI_STORAGE_RAM ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_config(wifi_interface_t, wifi_config_t* config) {
    the_world.ssid.assign(reinterpret_cast<const char*>(config->sta.ssid),
                          strnlen(reinterpret_cast<const char*>(config->sta.ssid), 32));
    return config->sta.threshold.authmode == WIFI_AUTH_WPA2_PSK ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_ps(wifi_ps_type_t) {
    return ESP_OK;
}

esp_err_t esp_wifi_start(void) {
    return ESP_OK;
}

esp_err_t esp_wifi_connect(void) {
    return ESP_OK;
}

esp_err_t esp_wifi_sta_get_rssi(int* rssi) {
    *rssi = -57;
    return ESP_OK;
}

esp_err_t nvs_flash_init(void) {
    return ESP_OK;
}

esp_err_t nvs_open(const char*, nvs_open_mode_t, nvs_handle_t*) {
    return the_world.nvs.empty() ? ESP_ERR_NVS_NOT_FOUND : ESP_OK;
}

esp_err_t nvs_get_str(nvs_handle_t, const char* key, char* value, size_t* length) {
    const auto found = the_world.nvs.find(key);
    if (found == the_world.nvs.end() || found->second.size() + 1 > *length) {
        return ESP_ERR_NVS_NOT_FOUND;
    }
    std::memcpy(value, found->second.c_str(), found->second.size() + 1);
    return ESP_OK;
}

void nvs_close(nvs_handle_t) {}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void) {
    ++the_world.update_confirmations;
    return ESP_OK;
}

esp_err_t esp_https_ota(const esp_https_ota_config_t* config) {
    const std::lock_guard<std::mutex> held(guard);
    the_world.updates.emplace_back(config->http_config->url, config->http_config->cert_pem);
    return the_world.update_arrives ? ESP_OK : ESP_FAIL;
}

esp_err_t gpio_config(const gpio_config_t*) {
    return ESP_OK;
}

esp_err_t gpio_set_level(gpio_num_t pin, uint32_t level) {
    const std::lock_guard<std::mutex> held(guard);
    the_world.pins[pin] = static_cast<int>(level);
    return ESP_OK;
}

int gpio_get_level(gpio_num_t pin) {
    const std::lock_guard<std::mutex> held(guard);
    return the_world.pins[pin];
}

esp_err_t adc_oneshot_io_to_channel(int, adc_unit_t* unit, adc_channel_t* channel) {
    *unit = ADC_UNIT_1;
    *channel = ADC_CHANNEL_6;
    return ESP_OK;
}

esp_err_t adc_oneshot_new_unit(const adc_oneshot_unit_init_cfg_t*, adc_oneshot_unit_handle_t*) {
    return ESP_OK;
}

esp_err_t adc_oneshot_config_channel(adc_oneshot_unit_handle_t, adc_channel_t,
                                     const adc_oneshot_chan_cfg_t* config) {
    return config->atten == ADC_ATTEN_DB_12 ? ESP_OK : ESP_FAIL;
}

esp_err_t adc_oneshot_read(adc_oneshot_unit_handle_t, adc_channel_t, int* raw) {
    if (the_world.converter_fails(the_world.ticks)) {
        return ESP_FAIL;
    }
    *raw = the_world.raw(the_world.ticks);
    return ESP_OK;
}

// As on a chip whose eFuse holds no calibration.
esp_err_t adc_cali_create_scheme_line_fitting(const adc_cali_line_fitting_config_t* config,
                                              adc_cali_handle_t*) {
    return config->default_vref != 0 ? ESP_OK : ESP_ERR_INVALID_ARG;
}

esp_err_t adc_cali_raw_to_voltage(adc_cali_handle_t, int raw, int* millivolts) {
    *millivolts = raw * 3300 / 4096;
    return ESP_OK;
}

esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t* config) {
    the_world.uri = config->broker.address.uri;
    the_world.ca = config->broker.verification.certificate;
    the_world.username = config->credentials.username;
    the_world.client_id = config->credentials.client_id;
    the_world.password = config->credentials.authentication.password;
    the_world.will_topic = config->session.last_will.topic;
    the_world.will.assign(config->session.last_will.msg,
                          static_cast<std::size_t>(config->session.last_will.msg_len));
    the_world.outbox_limit = config->outbox.limit;
    return reinterpret_cast<esp_mqtt_client_handle_t>(&the_world);
}

esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t) {
    return ESP_OK;
}

esp_err_t esp_mqtt_client_register_event(esp_mqtt_client_handle_t, esp_mqtt_event_id_t,
                                         esp_event_handler_t handler, void*) {
    on_mqtt = handler;
    return ESP_OK;
}

int esp_mqtt_client_subscribe_single(esp_mqtt_client_handle_t, const char* topic, int) {
    const std::lock_guard<std::mutex> held(guard);
    if (the_world.refused_subscriptions > 0) {
        --the_world.refused_subscriptions;
        return -1;
    }
    the_world.subscribed.emplace_back(topic);
    unanswered_subscriptions.push_back(next_token);
    return next_token++;
}

int esp_mqtt_client_enqueue(esp_mqtt_client_handle_t, const char* topic, const char* data, int len,
                            int qos, int retain, bool store) {
    int token = 0;
    {
        const std::lock_guard<std::mutex> held(guard);
        the_world.enqueued_by_sampler = the_world.enqueued_by_sampler || shim::on_sampler();
        if (the_world.outbox_is_full || qos != 1 || !store) {
            return -2;
        }
        token = next_token++;
        the_world.published.push_back(
            {topic, {data, data + len}, retain != 0, token, shim::time_us()});
        outbox.push_back(token);
    }
    confirm_all();
    return token;
}

}  // extern "C"
