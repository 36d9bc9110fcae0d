#pragma once

#include "esp_adc/adc_cali.h"
#include "esp_adc/adc_oneshot.h"

// The classic ESP32 has line fitting alone.
#define ADC_CALI_SCHEME_CURVE_FITTING_SUPPORTED 0
typedef struct {
    adc_unit_t unit_id;
    adc_atten_t atten;
    adc_bitwidth_t bitwidth;
} adc_cali_line_fitting_config_t;

extern "C" esp_err_t adc_cali_create_scheme_line_fitting(
    const adc_cali_line_fitting_config_t* config, adc_cali_handle_t* handle);
