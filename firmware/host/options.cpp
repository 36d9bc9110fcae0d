#include "options.hpp"

#include <cstdlib>
#include <functional>
#include <map>

#include "../core/node.hpp"
#include "../core/wire.hpp"

namespace bedside::host {
namespace {

constexpr unsigned long long kMostBatches = 65'535;

bool whole(const std::string& text, unsigned long long most, unsigned long long& value) {
    char* end = nullptr;
    value = std::strtoull(text.c_str(), &end, 10);
    return !text.empty() && *end == '\0' && text[0] != '-' && value <= most;
}

template <typename Number>
std::function<bool(const std::string&)> into(Number& number, unsigned long long least,
                                             unsigned long long most) {
    return [&number, least, most](const std::string& text) {
        unsigned long long value = 0;
        if (!whole(text, most, value) || value < least) {
            return false;
        }
        number = static_cast<Number>(value);
        return true;
    };
}

std::function<bool(const std::string&)> into(std::string& text) {
    return [&text](const std::string& value) {
        text = value;
        return !value.empty();
    };
}

}  // namespace

const char* usage() {
    return "bedside-node: the node's firmware core over MQTT, fed with samples\n"
           "  --name N            node and bed, 1 to 32 of a-z, 0-9 and - (bed-1)\n"
           "  --host H --port P   the broker (127.0.0.1, 1883)\n"
           "  --username U --password-file F   credentials\n"
           "  --ca-file F         the broker's CA in PEM; switches TLS on\n"
           "  --pieces F          samples, or - for standard input: pieces of\n"
           "                      u16 count, u16 flags, u32 skipped, i16 × count\n"
           "  --rate-mhz R --nv-per-lsb V      of the samples (250000, 1000)\n"
           "  --speed S           faster than real time (1)\n"
           "  --store-batches N   room for batches that wait for an acknowledgement (600)\n"
           "  --boot-id N         instead of a random one\n"
           "  --linger            stay connected when the samples end\n"
           "  --client-keeps      keep the MQTT client, and what it holds, over reconnects\n"
           "  --swallow-permille N --swallow-most N --seed N\n"
           "                      publishes that vanish as in a killed broker, and how many\n";
}

std::optional<Options> parse(int count, char** arguments) {
    Options options;
    std::map<std::string, std::function<bool(const std::string&)>> valued{
        {"--name", into(options.name)},
        {"--host", into(options.broker_host)},
        {"--port", into(options.broker_port, 1, 65'535)},
        {"--username", into(options.username)},
        {"--password-file", into(options.password_file)},
        {"--ca-file", into(options.ca_file)},
        {"--pieces", into(options.pieces)},
        {"--rate-mhz", into(options.rate_mhz, kMinRateMhz, kMaxRateMhz)},
        {"--nv-per-lsb", into(options.nv_per_lsb, 1, UINT32_MAX)},
        {"--store-batches", into(options.store_batches, 1, kMostBatches)},
        {"--swallow-permille", into(options.swallow_permille, 0, 1000)},
        {"--swallow-most", into(options.swallow_most, 0, 1'000'000)},
        {"--seed", into(options.seed, 1, UINT32_MAX)},
        {"--boot-id",
         [&options](const std::string& text) {
             unsigned long long value = 0;
             const bool valid = whole(text, UINT32_MAX, value);
             options.boot_id = static_cast<std::uint32_t>(value);
             return valid;
         }},
        {"--speed",
         [&options](const std::string& text) {
             char* end = nullptr;
             options.speed = std::strtod(text.c_str(), &end);
             return *end == '\0' && options.speed >= 0.1 && options.speed <= 50;
         }},
    };
    const std::map<std::string, bool*> switches{{"--client-keeps", &options.client_keeps},
                                                {"--linger", &options.linger}};
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (const auto found = switches.find(argument); found != switches.end()) {
            *found->second = true;
            continue;
        }
        const auto found = valued.find(argument);
        if (found == valued.end() || i + 1 == count || !found->second(arguments[i + 1])) {
            return std::nullopt;
        }
        ++i;
    }
    if (!is_node_name(options.name.c_str())) {
        return std::nullopt;
    }
    return options;
}

}  // namespace bedside::host
