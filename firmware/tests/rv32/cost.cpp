#include <stdio.h>

#include "../../core/uplink.hpp"

// What one batch costs, in instructions, where the cycle counter counts them.

#ifndef BUDGET_US
#define BUDGET_US 20
#endif

namespace {

uint32_t cycles() {
    uint32_t value = 0;
    __asm__ volatile("rdcycle %0" : "=r"(value));
    return value;
}

uint32_t words[4 * 42];

}  // namespace

int main() {
    bedside::Store store(words, sizeof words / sizeof *words, bedside::kBatchSamples);
    bedside::Uplink::InFlight entries[4];
    bedside::Uplink uplink(store, entries, 4, {1, 0, 20});
    bedside::Cut cut{};
    cut.count = bedside::kBatchSamples;
    for (int i = 0; i < bedside::kBatchSamples; ++i) {
        cut.samples[i] = static_cast<int16_t>(317 * i);
    }
    const uint32_t start = cycles();
    uplink.keep(cut, 1, 250'000, 100, 0);
    const uint32_t kept = cycles();
    uplink.begin_round(0);
    bedside::Uplink::Outgoing outgoing{};
    uplink.next(outgoing);
    const uint32_t given = cycles();
    constexpr uint32_t kPerUs = 160;
    printf("encode with CRC and keep: %lu instructions, %lu.%lu us at 160 MHz\n",
           static_cast<unsigned long>(kept - start),
           static_cast<unsigned long>((kept - start) / kPerUs),
           static_cast<unsigned long>((kept - start) * 10 / kPerUs % 10));
    printf("refresh and hand out: %lu instructions\n", static_cast<unsigned long>(given - kept));
    return kept - start <= BUDGET_US * kPerUs && outgoing.size == 156 ? 0 : 1;
}
