#include <cinttypes>
#include <cstdio>
#include <random>

#include "../core/acquisition.hpp"

// 24 hours of a 2 kHz timer in the sampler's hands: late answers, missed ticks and gaps at random.
// Every sample's index must be its time, exactly, and every tick accounted for.

namespace {

constexpr std::int64_t kTicks = 24LL * 3600 * 2000;

struct Ledger {
    std::uint64_t next = 0;
    std::uint64_t samples = 0;
    std::uint64_t absent = 0;
    std::uint64_t wrong = 0;

    static void take(void* self, const bedside::Cut& cut) {
        auto& ledger = *static_cast<Ledger*>(self);
        // Output n is complete with tick 8 n + 8 and shows what was there 19.75 ms before.
        const auto tick_us = [](std::uint64_t index) {
            return static_cast<std::int64_t>(8 * index + 8) * bedside::Acquisition::kTickUs -
                   bedside::Acquisition::kDelayUs;
        };
        const std::uint64_t last = cut.first_sample + cut.count - 1;
        if (cut.first_us != tick_us(cut.first_sample) || cut.last_us != tick_us(last) ||
            cut.first_sample < ledger.next) {
            ++ledger.wrong;
        }
        ledger.absent += cut.first_sample - ledger.next;
        ledger.samples += cut.count;
        ledger.next = cut.first_sample + cut.count;
    }
};

int run(std::uint32_t one_missed_in, std::int64_t ticks = kTicks, bool one_is_lost = false) {
    Ledger ledger;
    bedside::Calibration calibration;
    calibration.build([](void*, int raw) { return raw * 3300 / 4096; }, nullptr, 1650, 1'100'000);
    bedside::Batcher batcher(&Ledger::take, &ledger);
    bedside::Acquisition acquisition(calibration, {100, 3000}, batcher);
    std::mt19937 random(20);
    std::uint64_t missed = 0;
    for (std::int64_t tick = 0; tick < ticks;) {
        std::uint32_t elapsed = 1;
        if (one_missed_in > 0 && random() % one_missed_in == 0) {
            elapsed += static_cast<std::uint32_t>(random() % (random() % 16 == 0 ? 4000 : 12));
        }
        tick += elapsed;
        if (one_is_lost && tick == ticks / 2) {
            ++tick;
        }
        missed += elapsed - 1;
        acquisition.tick(elapsed, {2048 + static_cast<int>(tick % 97), false, false},
                         tick * bedside::Acquisition::kTickUs);
    }
    batcher.flush();
    std::printf("%" PRIu64 " samples, %" PRIu64 " absent, %" PRIu64 " ticks missed, %" PRIu64
                " samples whose index is not their time\n",
                ledger.samples, ledger.absent, missed, ledger.wrong);
    const bool whole =
        one_missed_in > 0 ||
        (ledger.samples == static_cast<std::uint64_t>(ticks) / 8 - 9 && ledger.absent == 9);
    const bool counted = acquisition.missed_ticks() == missed;
    return ledger.wrong == 0 && whole && counted && (one_missed_in == 0 || ledger.absent > 9) ? 0
                                                                                              : 1;
}

}  // namespace

int main(int count, char**) {
    if (count > 1) {
        // The control: a minute in which one tick of the timer is neither answered nor reported.
        return run(0, 60LL * 2000, true);
    }
    return run(0) + run(10'000);
}
