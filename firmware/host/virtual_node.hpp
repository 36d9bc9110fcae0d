#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "../core/batcher.hpp"
#include "../core/node.hpp"
#include "broker.hpp"
#include "options.hpp"
#include "pieces.hpp"

namespace bedside::host {

/// The core with its store, its samples and a broker; says what happens in lines of JSON.
class VirtualNode {
  public:
    VirtualNode(const Options& options, Pieces& pieces);

    /// Until the samples have ended and the bedside has all of them, or `stop` turns true.
    /// Returns whether nothing was left over.
    bool run(const volatile bool& stop);

  private:
    /// One boot: what a reset clears.
    struct Boot {
        Boot(const Options& options, std::uint32_t boot_id, const Port& port);
        std::vector<std::uint32_t> words;
        std::vector<Uplink::InFlight> in_flight;
        Store store;
        Uplink uplink;
        Node node;
    };

    void start_boot();
    void sample(std::int64_t now_us);
    bool load();
    std::int64_t due_us() const;
    std::int64_t at_us(std::uint64_t index, double speed) const;
    void take(Cut cut);
    void heard(const std::string& topic, const std::uint8_t* bytes, std::size_t size);
    int publish(const char* topic, const std::uint8_t* bytes, std::size_t size, bool retain);
    void say(const char* event, const std::string& detail = "") const;
    Port port();

    static std::int64_t now_us();

    Options options_;
    Pieces& pieces_;
    std::mt19937 random_;
    std::int64_t started_us_;
    std::int64_t started_wall_us_;
    std::unique_ptr<Boot> boot_;
    std::unique_ptr<Broker> broker_;
    Batcher batcher_;
    Piece piece_;
    bool has_piece_ = false;
    bool reboot_wanted_ = false;
    std::uint64_t index_ = 0;  ///< of the piece's first sample since the start
    std::uint64_t boot_index_ = 0;
    int next_swallowed_ = 1 << 20;  ///< tokens above every real one
    std::deque<int> swallowed_;
};

}  // namespace bedside::host
