#pragma once

#include <stdint.h>

#include "credentials.hpp"

namespace bedside::node {

/// Joins the Wi-Fi and stays joined, and asks for the time; returns at once.
void start_network(const Credentials& credentials);

/// Unix time, or 0 while SNTP has not answered.
int64_t wall_us();

/// Signal strength in dBm, or 0 while not joined.
int32_t rssi_dbm();

}  // namespace bedside::node
