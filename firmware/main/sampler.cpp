#include "sampler.hpp"

#include "../core/acquisition.hpp"
#include "driver/gptimer.h"
#include "esp_adc/adc_cali.h"
#include "esp_adc/adc_cali_scheme.h"
#include "esp_adc/adc_oneshot.h"
#include "esp_attr.h"
#include "esp_err.h"
#include "esp_log.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/task.h"
#include "front_end.hpp"
#include "sdkconfig.h"

namespace bedside::node {
namespace {

constexpr const char* kTag = "sampler";
constexpr uint32_t kTimerHz = 1'000'000;
constexpr uint32_t kStackBytes = 4096;
// Above Wi-Fi's 23: a reading takes some 40 µs of every 500.
constexpr UBaseType_t kPriority = 24;
// At 12 dB the classic ESP32 is straight from 150 to 2450 mV, the others from 0 to 2500 and more.
constexpr Acquisition::Range kStraightCodes = {190, 3040};

TaskHandle_t task = nullptr;
QueueHandle_t queue = nullptr;
bool idle_wanted = false;
SamplerCounts counts = {};

bool IRAM_ATTR on_alarm(gptimer_handle_t, const gptimer_alarm_event_data_t*, void*) {
    BaseType_t woken = pdFALSE;
    vTaskNotifyGiveFromISR(task, &woken);
    return woken == pdTRUE;
}

void on_cut(void*, const Cut& cut) {
    if (xQueueSend(queue, &cut, 0) != pdTRUE) {
        ++counts.lost_cuts;
    }
}

struct Converter {
    adc_oneshot_unit_handle_t unit;
    adc_channel_t channel;
    adc_cali_handle_t calibration;
};

Converter set_up_converter() {
    Converter converter = {};
    adc_unit_t unit = ADC_UNIT_1;
    ESP_ERROR_CHECK(adc_oneshot_io_to_channel(CONFIG_BEDSIDE_ECG_GPIO, &unit, &converter.channel));
    // Wi-Fi occupies ADC2.
    ESP_ERROR_CHECK(unit == ADC_UNIT_1 ? ESP_OK : ESP_ERR_INVALID_ARG);
    adc_oneshot_unit_init_cfg_t init = {};
    init.unit_id = unit;
    ESP_ERROR_CHECK(adc_oneshot_new_unit(&init, &converter.unit));
    adc_oneshot_chan_cfg_t channel = {};
    channel.atten = ADC_ATTEN_DB_12;
    channel.bitwidth = ADC_BITWIDTH_12;
    ESP_ERROR_CHECK(adc_oneshot_config_channel(converter.unit, converter.channel, &channel));
#if ADC_CALI_SCHEME_CURVE_FITTING_SUPPORTED
    adc_cali_curve_fitting_config_t scheme = {};
    scheme.unit_id = unit;
    scheme.chan = converter.channel;
    scheme.atten = channel.atten;
    scheme.bitwidth = channel.bitwidth;
    ESP_ERROR_CHECK(adc_cali_create_scheme_curve_fitting(&scheme, &converter.calibration));
#else
    adc_cali_line_fitting_config_t scheme = {};
    scheme.unit_id = unit;
    scheme.atten = channel.atten;
    scheme.bitwidth = channel.bitwidth;
#if CONFIG_IDF_TARGET_ESP32
    // For the oldest chips, whose eFuse holds no calibration.
    scheme.default_vref = 1100;
#endif
    ESP_ERROR_CHECK(adc_cali_create_scheme_line_fitting(&scheme, &converter.calibration));
#endif
    return converter;
}

int millivolts_of(void* context, int raw) {
    int millivolts = 0;
    ESP_ERROR_CHECK(
        adc_cali_raw_to_voltage(static_cast<Converter*>(context)->calibration, raw, &millivolts));
    return millivolts;
}

void start_timer() {
    gptimer_handle_t timer = nullptr;
    gptimer_config_t config = {};
    config.clk_src = GPTIMER_CLK_SRC_DEFAULT;
    config.direction = GPTIMER_COUNT_UP;
    config.resolution_hz = kTimerHz;
    ESP_ERROR_CHECK(gptimer_new_timer(&config, &timer));
    gptimer_event_callbacks_t callbacks = {};
    callbacks.on_alarm = &on_alarm;
    ESP_ERROR_CHECK(gptimer_register_event_callbacks(timer, &callbacks, nullptr));
    gptimer_alarm_config_t alarm = {};
    alarm.alarm_count = Acquisition::kTickUs;
    alarm.flags.auto_reload_on_alarm = true;
    ESP_ERROR_CHECK(gptimer_set_alarm_action(timer, &alarm));
    ESP_ERROR_CHECK(gptimer_enable(timer));
    ESP_ERROR_CHECK(gptimer_start(timer));
}

void run(void*) {
    Converter converter = set_up_converter();
    static Calibration calibration;
    calibration.build(&millivolts_of, &converter, CONFIG_BEDSIDE_BIAS_MV,
                      CONFIG_BEDSIDE_GAIN_MILLI);
    static Batcher batcher(&on_cut, nullptr);
    static Acquisition acquisition(calibration, kStraightCodes, batcher);
    ESP_ERROR_CHECK(esp_task_wdt_add(nullptr));
    start_timer();
    const int64_t started_us = esp_timer_get_time();
    uint64_t ticks = 0;
    uint32_t unread_ticks = 0;
    bool idle = false;
    while (true) {
        const uint32_t elapsed = ulTaskNotifyTake(pdTRUE, pdMS_TO_TICKS(1000));
        if (elapsed == 0) {
            ESP_LOGE(kTag, "the timer stands still");
            continue;
        }
        ESP_ERROR_CHECK(esp_task_wdt_reset());
        ticks += elapsed;
        unread_ticks += elapsed;
        if (__atomic_load_n(&idle_wanted, __ATOMIC_RELAXED) != idle) {
            idle = !idle;
            switch_front_end(!idle);
        }
        if (idle) {
            acquisition.shut_down();
        }
        int raw = 0;
        if (adc_oneshot_read(converter.unit, converter.channel, &raw) != ESP_OK) {
            ++counts.failed_readings;
            continue;
        }
        // The timer and the clock run from one crystal: a tick's time is its number.
        const int64_t at_us = started_us + static_cast<int64_t>(ticks) * Acquisition::kTickUs;
        acquisition.tick(unread_ticks, {raw, lo_plus_is_high(), lo_minus_is_high()}, at_us);
        unread_ticks = 0;
        counts.missed_ticks = acquisition.missed_ticks();
    }
}

}  // namespace

void start_sampler(QueueHandle_t cuts) {
    queue = cuts;
#if CONFIG_FREERTOS_UNICORE
    constexpr BaseType_t kCore = 0;
#else
    // Wi-Fi lives on core 0.
    constexpr BaseType_t kCore = 1;
#endif
    const BaseType_t started =
        xTaskCreatePinnedToCore(&run, "sampler", kStackBytes, nullptr, kPriority, &task, kCore);
    ESP_ERROR_CHECK(started == pdPASS ? ESP_OK : ESP_ERR_NO_MEM);
}

void set_idle(bool idle) {
    __atomic_store_n(&idle_wanted, idle, __ATOMIC_RELAXED);
}

SamplerCounts sampler_counts() {
    return counts;
}

}  // namespace bedside::node
