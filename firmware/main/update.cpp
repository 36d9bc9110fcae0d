#include "update.hpp"

#include "esp_err.h"
#include "esp_http_client.h"
#include "esp_https_ota.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

namespace bedside::node {
namespace {

constexpr const char* kTag = "update";
constexpr uint32_t kStackBytes = 8192;
// Below the publisher's: an update may take its time.
constexpr UBaseType_t kPriority = 2;
#if CONFIG_SECURE_SIGNED_ON_UPDATE
constexpr bool kChecksSignatures = true;
#else
constexpr bool kChecksSignatures = false;
#endif

bool is_updating = false;

void run(void* argument) {
    const Credentials& credentials = **static_cast<const Credentials**>(argument);
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
    __atomic_store_n(&is_updating, false, __ATOMIC_RELAXED);
    vTaskDelete(nullptr);
}

}  // namespace

void start_update(const Credentials& credentials) {
    if (CONFIG_BEDSIDE_UPDATE_URL[0] == '\0') {
        ESP_LOGW(kTag, "no update: BEDSIDE_UPDATE_URL is empty");
        return;
    }
    if (!kChecksSignatures) {
        ESP_LOGE(kTag, "no update: this build does not check signatures");
        return;
    }
    if (__atomic_exchange_n(&is_updating, true, __ATOMIC_RELAXED)) {
        ESP_LOGW(kTag, "an update is under way");
        return;
    }
    static const Credentials* of_node;
    of_node = &credentials;
    if (xTaskCreatePinnedToCore(&run, "update", kStackBytes, &of_node, kPriority, nullptr, 0) !=
        pdPASS) {
        __atomic_store_n(&is_updating, false, __ATOMIC_RELAXED);
        ESP_LOGE(kTag, "no update: no memory for it");
    }
}

void confirm_update() {
    if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK) {
        ESP_LOGD(kTag, "this image was confirmed before");
    }
}

}  // namespace bedside::node
