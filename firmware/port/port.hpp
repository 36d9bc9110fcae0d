#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bedside {

/// What the core sees of the world. Every call gets `context` back.
struct Port {
    void* context;

    /// Monotonic time since boot.
    int64_t (*now_us)(void* context);

    /// Unix time, or 0 while the clock is not synced.
    int64_t (*wall_us)(void* context);

    /// Hands a message to the MQTT client at QoS 1; the token that its PUBACK will name, or −1.
    int32_t (*publish)(void* context, const char* topic, const uint8_t* bytes, size_t size,
                       bool retain);

    /// Bytes of heap left, or −1 where that means nothing.
    int32_t (*free_heap)(void* context);

    /// The timer's ticks since boot that nobody answered in time, or −1 where that means nothing.
    int64_t (*missed_ticks)(void* context);

    /// Signal strength of the Wi-Fi in dBm, or 0 where there is none.
    int32_t (*rssi_dbm)(void* context);

    /// One line for whoever watches the console.
    void (*log)(void* context, const char* text);
};

}  // namespace bedside
