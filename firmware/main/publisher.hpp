#pragma once

#include "credentials.hpp"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"

namespace bedside::node {

/// Starts the task that keeps, sends and sends again what `cuts` brings. It alone speaks to the
/// MQTT client, whose calls may block for as long as a connection takes.
void start_publisher(const Credentials& credentials, QueueHandle_t cuts);

}  // namespace bedside::node
