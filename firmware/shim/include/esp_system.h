#pragma once

#include <stdint.h>

// In IDF it does not return; in a test it must.
extern "C" void esp_restart(void);
extern "C" uint32_t esp_get_free_heap_size(void);
