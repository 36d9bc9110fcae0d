#pragma once

#include <sys/time.h>

#include "esp_err.h"

typedef struct {
    bool start;
    void (*sync_cb)(struct timeval* now);
    const char* servers[1];
} esp_sntp_config_t;
#define ESP_NETIF_SNTP_DEFAULT_CONFIG(server) \
    {                                         \
        true, nullptr, {                      \
            server                            \
        }                                     \
    }

extern "C" esp_err_t esp_netif_sntp_init(const esp_sntp_config_t* config);
