#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bedside::host {

/// What the command line asks for.
struct Options {
    std::string name = "bed-1";
    std::string broker_host = "127.0.0.1";
    int broker_port = 1883;
    std::string username;
    std::string password_file;
    std::string ca_file;
    std::string pieces = "-";
    std::uint32_t rate_mhz = 250'000;
    std::uint32_t nv_per_lsb = 1000;
    double speed = 1.0;
    std::size_t store_batches = 600;
    std::optional<std::uint32_t> boot_id;
    unsigned swallow_permille = 0;
    unsigned swallow_most = 1'000'000;
    unsigned seed = 1;
    bool client_keeps = false;
    bool linger = false;
};

/// What to print where an argument is not understood.
const char* usage();

/// Nothing for a command line that makes no sense.
std::optional<Options> parse(int count, char** arguments);

}  // namespace bedside::host
