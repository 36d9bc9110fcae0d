#pragma once

#include "freertos/FreeRTOS.h"

typedef struct shim_queue* QueueHandle_t;

extern "C" QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_size);
extern "C" BaseType_t xQueueSend(QueueHandle_t queue, const void* item, TickType_t wait);
extern "C" BaseType_t xQueueReceive(QueueHandle_t queue, void* item, TickType_t wait);
