#pragma once

#include "esp_err.h"
#include "esp_http_client.h"

typedef struct {
    const esp_http_client_config_t* http_config;
} esp_https_ota_config_t;

extern "C" esp_err_t esp_https_ota(const esp_https_ota_config_t* config);
