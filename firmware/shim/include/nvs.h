#pragma once

#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

typedef uint32_t nvs_handle_t;
typedef enum { NVS_READONLY, NVS_READWRITE } nvs_open_mode_t;

extern "C" esp_err_t nvs_open(const char* name, nvs_open_mode_t mode, nvs_handle_t* handle);
extern "C" esp_err_t nvs_get_str(nvs_handle_t handle, const char* key, char* value, size_t* length);
extern "C" void nvs_close(nvs_handle_t handle);
