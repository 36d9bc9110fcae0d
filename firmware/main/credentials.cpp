#include "credentials.hpp"

#include <string.h>

#include "../core/node.hpp"
#include "esp_log.h"
#include "nvs.h"
#include "nvs_flash.h"

namespace bedside::node {
namespace {

constexpr const char* kTag = "credentials";
constexpr const char* kNamespace = "bedside";

bool read(nvs_handle_t handle, const char* key, char* into, size_t capacity) {
    size_t size = capacity;
    if (nvs_get_str(handle, key, into, &size) == ESP_OK && into[0] != '\0') {
        return true;
    }
    ESP_LOGE(kTag, "%s is missing or too long: provision this node", key);
    return false;
}

}  // namespace

const Credentials* read_credentials() {
    static Credentials credentials;
    nvs_handle_t handle = 0;
    if (nvs_flash_init() != ESP_OK || nvs_open(kNamespace, NVS_READONLY, &handle) != ESP_OK) {
        ESP_LOGE(kTag, "nothing is stored: provision this node");
        return nullptr;
    }
    const bool complete =
        read(handle, "name", credentials.name, sizeof credentials.name) &&
        read(handle, "ssid", credentials.ssid, sizeof credentials.ssid) &&
        read(handle, "wifi_pass", credentials.wifi_password, sizeof credentials.wifi_password) &&
        read(handle, "broker_uri", credentials.broker_uri, sizeof credentials.broker_uri) &&
        read(handle, "broker_pass", credentials.broker_password,
             sizeof credentials.broker_password) &&
        read(handle, "ca", credentials.ca_pem, sizeof credentials.ca_pem);
    nvs_close(handle);
    if (!complete) {
        return nullptr;
    }
    if (!is_node_name(credentials.name)) {
        ESP_LOGE(kTag, "a name is 1 to 32 of a-z, 0-9 and -: provision this node");
        return nullptr;
    }
    if (strncmp(credentials.broker_uri, "mqtts://", 8) != 0) {
        ESP_LOGE(kTag, "the broker must be mqtts://: provision this node");
        return nullptr;
    }
    return &credentials;
}

}  // namespace bedside::node
