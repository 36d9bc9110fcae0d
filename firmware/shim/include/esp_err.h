#pragma once

#include <stdint.h>

typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL (-1)
#define ESP_ERR_NO_MEM 0x101
#define ESP_ERR_INVALID_ARG 0x102
#define ESP_ERR_NVS_NOT_FOUND 0x1102

extern "C" const char* esp_err_to_name(esp_err_t code);
extern "C" void shim_abort(const char* what, const char* file, int line);

#define ESP_ERROR_CHECK(call)                      \
    do {                                           \
        if ((call) != ESP_OK) {                    \
            shim_abort(#call, __FILE__, __LINE__); \
        }                                          \
    } while (false)
