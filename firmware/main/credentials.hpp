#pragma once

namespace bedside::node {

/// Who this node is and where it belongs, from NVS; nothing of it is in the source.
struct Credentials {
    char name[33];
    char ssid[33];
    char wifi_password[65];
    char broker_uri[129];
    char broker_password[129];
    char ca_pem[3072];
};

/// Null where something is missing or unfit, and the log says what: a node without a CA, or with a
/// broker that is not mqtts://, does not start.
const Credentials* read_credentials();

}  // namespace bedside::node
