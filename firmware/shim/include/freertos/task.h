#pragma once

#include "freertos/FreeRTOS.h"

typedef struct shim_task* TaskHandle_t;
typedef void (*TaskFunction_t)(void* argument);

extern "C" BaseType_t xTaskCreatePinnedToCore(TaskFunction_t function, const char* name,
                                              uint32_t stack_bytes, void* argument,
                                              UBaseType_t priority, TaskHandle_t* handle,
                                              BaseType_t core);
extern "C" uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t wait);
extern "C" void vTaskNotifyGiveFromISR(TaskHandle_t task, BaseType_t* woken);
extern "C" void vTaskDelete(TaskHandle_t task);
