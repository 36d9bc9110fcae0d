#pragma once

namespace bedside::node {

/// The AD8232's pins: leads-off comparators in, shutdown out; and the node's LED.
void set_up_front_end();
void switch_front_end(bool on);
bool lo_plus_is_high();
bool lo_minus_is_high();
void switch_led(bool on);

}  // namespace bedside::node
