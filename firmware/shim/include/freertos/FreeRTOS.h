#pragma once

#include <stdint.h>

typedef int BaseType_t;
typedef unsigned int UBaseType_t;
typedef uint32_t TickType_t;
#define pdTRUE 1
#define pdFALSE 0
#define pdPASS 1
#define portMAX_DELAY 0xFFFFFFFFU
// CONFIG_FREERTOS_HZ=1000
#define pdMS_TO_TICKS(ms) (static_cast<TickType_t>(ms))
