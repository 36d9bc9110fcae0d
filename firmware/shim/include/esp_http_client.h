#pragma once

/// The fields that are used, in their order.
typedef struct {
    const char* url;
    const char* host;
    int port;
    const char* cert_pem;
} esp_http_client_config_t;
