#pragma once

typedef struct {
    const char* url;
    const char* cert_pem;
} esp_http_client_config_t;
