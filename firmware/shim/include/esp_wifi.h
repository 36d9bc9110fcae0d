#pragma once

#include <stdint.h>

#include "esp_err.h"
#include "esp_event.h"

extern "C" esp_event_base_t const WIFI_EVENT;
typedef enum {
    WIFI_EVENT_STA_START = 2,
    WIFI_EVENT_STA_CONNECTED = 4,
    WIFI_EVENT_STA_DISCONNECTED = 5,
} wifi_event_t;
typedef enum { WIFI_MODE_STA = 1 } wifi_mode_t;
typedef enum { WIFI_IF_STA = 0 } wifi_interface_t;
typedef enum { WIFI_PS_NONE = 0 } wifi_ps_type_t;
typedef enum { WIFI_AUTH_OPEN = 0, WIFI_AUTH_WPA2_PSK = 3 } wifi_auth_mode_t;
typedef struct {
    int magic;
} wifi_init_config_t;
#define WIFI_INIT_CONFIG_DEFAULT() \
    { 0x1F2F3F4F }
typedef struct {
    wifi_auth_mode_t authmode;
} wifi_scan_threshold_t;
typedef struct {
    uint8_t ssid[32];
    uint8_t password[64];
    wifi_scan_threshold_t threshold;
} wifi_sta_config_t;
typedef union {
    wifi_sta_config_t sta;
} wifi_config_t;

extern "C" esp_err_t esp_wifi_init(const wifi_init_config_t* config);
extern "C" esp_err_t esp_wifi_set_mode(wifi_mode_t mode);
extern "C" esp_err_t esp_wifi_set_config(wifi_interface_t interface, wifi_config_t* config);
extern "C" esp_err_t esp_wifi_set_ps(wifi_ps_type_t type);
extern "C" esp_err_t esp_wifi_start(void);
extern "C" esp_err_t esp_wifi_connect(void);
extern "C" esp_err_t esp_wifi_sta_get_rssi(int* rssi);
