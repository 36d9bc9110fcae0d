#include "network.hpp"

#include <string.h>
#include <sys/time.h>

#include "esp_err.h"
#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_netif_sntp.h"
#include "esp_wifi.h"
#include "sdkconfig.h"

namespace bedside::node {
namespace {

constexpr const char* kTag = "network";

bool time_is_synced = false;
bool is_joined = false;

void on_wifi(void*, esp_event_base_t, int32_t event, void*) {
    if (event == WIFI_EVENT_STA_DISCONNECTED) {
        __atomic_store_n(&is_joined, false, __ATOMIC_RELAXED);
    } else if (event == WIFI_EVENT_STA_CONNECTED) {
        __atomic_store_n(&is_joined, true, __ATOMIC_RELAXED);
        return;
    }
    if (event == WIFI_EVENT_STA_START || event == WIFI_EVENT_STA_DISCONNECTED) {
        if (esp_wifi_connect() != ESP_OK) {
            ESP_LOGW(kTag, "the Wi-Fi does not answer");
        }
    }
}

void on_time(struct timeval*) {
    __atomic_store_n(&time_is_synced, true, __ATOMIC_RELAXED);
}

}  // namespace

void start_network(const Credentials& credentials) {
    ESP_ERROR_CHECK(esp_netif_init());
    ESP_ERROR_CHECK(esp_event_loop_create_default());
    esp_netif_create_default_wifi_sta();
    const wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
    ESP_ERROR_CHECK(esp_wifi_init(&init));
    ESP_ERROR_CHECK(esp_event_handler_instance_register(WIFI_EVENT, ESP_EVENT_ANY_ID, &on_wifi,
                                                        nullptr, nullptr));
    wifi_config_t wifi = {};
    // Both fields may be full, without a terminator.
    memcpy(wifi.sta.ssid, credentials.ssid, strlen(credentials.ssid));
    memcpy(wifi.sta.password, credentials.wifi_password, strlen(credentials.wifi_password));
    wifi.sta.threshold.authmode = WIFI_AUTH_WPA2_PSK;
    // The credentials lie in our namespace of the NVS and nowhere else.
    ESP_ERROR_CHECK(esp_wifi_set_storage(WIFI_STORAGE_RAM));
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
    ESP_ERROR_CHECK(esp_wifi_set_config(WIFI_IF_STA, &wifi));
    // The radio's naps cost up to 300 ms of latency.
    ESP_ERROR_CHECK(esp_wifi_set_ps(WIFI_PS_NONE));
    ESP_ERROR_CHECK(esp_wifi_start());
    esp_sntp_config_t sntp = ESP_NETIF_SNTP_DEFAULT_CONFIG(CONFIG_BEDSIDE_SNTP_SERVER);
    sntp.sync_cb = &on_time;
    ESP_ERROR_CHECK(esp_netif_sntp_init(&sntp));
}

int64_t wall_us() {
    if (!__atomic_load_n(&time_is_synced, __ATOMIC_RELAXED)) {
        return 0;
    }
    struct timeval now = {};
    gettimeofday(&now, nullptr);
    return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_usec;
}

int32_t rssi_dbm() {
    int rssi = 0;
    const bool joined = __atomic_load_n(&is_joined, __ATOMIC_RELAXED);
    return joined && esp_wifi_sta_get_rssi(&rssi) == ESP_OK ? rssi : 0;
}

}  // namespace bedside::node
