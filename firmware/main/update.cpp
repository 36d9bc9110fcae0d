#include "update.hpp"

#include "esp_err.h"
#include "esp_http_client.h"
#include "esp_https_ota.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "esp_system.h"
#include "sdkconfig.h"

namespace bedside::node {
namespace {

constexpr const char* kTag = "update";

}  // namespace

void update(const Credentials& credentials) {
    if (CONFIG_BEDSIDE_UPDATE_URL[0] == '\0') {
        return;
    }
    esp_http_client_config_t http = {};
    http.url = CONFIG_BEDSIDE_UPDATE_URL;
    http.cert_pem = credentials.ca_pem;
    esp_https_ota_config_t ota = {};
    ota.http_config = &http;
    const esp_err_t result = esp_https_ota(&ota);
    if (result == ESP_OK) {
        esp_restart();
    }
    ESP_LOGW(kTag, "no update: %s", esp_err_to_name(result));
}

void confirm_update() {
    if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK) {
        ESP_LOGD(kTag, "this image was confirmed before");
    }
}

}  // namespace bedside::node
