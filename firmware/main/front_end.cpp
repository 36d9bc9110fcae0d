#include "front_end.hpp"

#include <stdint.h>

#include "driver/gpio.h"
#include "esp_err.h"
#include "sdkconfig.h"

namespace bedside::node {
namespace {

constexpr auto kLoPlus = static_cast<gpio_num_t>(CONFIG_BEDSIDE_LO_PLUS_GPIO);
constexpr auto kLoMinus = static_cast<gpio_num_t>(CONFIG_BEDSIDE_LO_MINUS_GPIO);
constexpr auto kShutdown = static_cast<gpio_num_t>(CONFIG_BEDSIDE_SDN_GPIO);
constexpr auto kLed = static_cast<gpio_num_t>(CONFIG_BEDSIDE_LED_GPIO);

void set_up(uint64_t pins, gpio_mode_t mode, gpio_pullup_t pull_up) {
    gpio_config_t config = {};
    config.pin_bit_mask = pins;
    config.mode = mode;
    // A cable that has come off reads as lead-off.
    config.pull_up_en = pull_up;
    config.pull_down_en = GPIO_PULLDOWN_DISABLE;
    config.intr_type = GPIO_INTR_DISABLE;
    ESP_ERROR_CHECK(gpio_config(&config));
}

}  // namespace

void set_up_front_end() {
    set_up((1ULL << kLoPlus) | (1ULL << kLoMinus), GPIO_MODE_INPUT, GPIO_PULLUP_ENABLE);
    set_up((1ULL << kShutdown) | (1ULL << kLed), GPIO_MODE_OUTPUT, GPIO_PULLUP_DISABLE);
    switch_front_end(true);
    switch_led(false);
}

void switch_front_end(bool on) {
    gpio_set_level(kShutdown, on ? 1 : 0);
}

bool lo_plus_is_high() {
    return gpio_get_level(kLoPlus) != 0;
}

bool lo_minus_is_high() {
    return gpio_get_level(kLoMinus) != 0;
}

void switch_led(bool on) {
    gpio_set_level(kLed, on ? 1 : 0);
}

}  // namespace bedside::node
