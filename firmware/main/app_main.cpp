#include "../core/batcher.hpp"
#include "credentials.hpp"
#include "esp_err.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "front_end.hpp"
#include "network.hpp"
#include "publisher.hpp"
#include "sampler.hpp"

namespace {

// 6.4 s of full batches: the MQTT client may hold the publisher up for 5 s.
constexpr UBaseType_t kQueuedCuts = 32;

}  // namespace

extern "C" void app_main() {
    using namespace bedside::node;
    set_up_front_end();
    const Credentials* credentials = read_credentials();
    if (credentials == nullptr) {
        return;
    }
    QueueHandle_t cuts = xQueueCreate(kQueuedCuts, sizeof(bedside::Cut));
    ESP_ERROR_CHECK(cuts != nullptr ? ESP_OK : ESP_ERR_NO_MEM);
    start_sampler(cuts);
    start_network(*credentials);
    start_publisher(*credentials, cuts);
}
