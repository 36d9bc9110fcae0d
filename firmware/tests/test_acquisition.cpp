#include <string.h>

#include "../core/acquisition.hpp"
#include "../core/wire.hpp"
#include "check.hpp"

using bedside::Acquisition;
using bedside::Batcher;
using bedside::Calibration;
using bedside::Cut;
using bedside::Decimator;
using bedside::LeadOff;
using bedside::Reading;
namespace flag = bedside::flag;

namespace {

constexpr int kBiasMv = 1650;
constexpr int kGainMilli = 1'100'000;
constexpr int kMiddle = 2048;

int straight_mv(void*, int raw) {
    return raw * 3300 / 4096;
}

/// Like a real one above 2.4 V: the curve bends down.
int bent_mv(void*, int raw) {
    return raw * 3300 / 4096 - (raw > 3000 ? (raw - 3000) / 4 : 0);
}

struct Cuts {
    static constexpr int kMost = 64;
    Cut at[kMost];
    int count = 0;
    static void take(void* context, const Cut& cut) {
        auto* cuts = static_cast<Cuts*>(context);
        if (cuts->count < kMost) {
            cuts->at[cuts->count] = cut;
        }
        ++cuts->count;
    }
};

/// An acquisition on ticks of 500 µs, with what it handed over.
struct Bench {
    Cuts cuts;
    Calibration calibration;
    Batcher batcher{&Cuts::take, &cuts};
    Acquisition acquisition{calibration, {100, 3000}, batcher};
    int64_t ticks = 0;
    Bench() { calibration.build(&straight_mv, nullptr, kBiasMv, kGainMilli); }
    void tick(uint32_t elapsed, const Reading& reading) {
        ticks += elapsed;
        acquisition.tick(elapsed, reading, ticks * Acquisition::kTickUs);
    }
    void run(int samples, const Reading& reading = {kMiddle, false, false}) {
        for (int i = 0; i < samples * Decimator::kFactor; ++i) {
            tick(1, reading);
        }
    }
};

}  // namespace

TEST("the calibration is straight where the converter is, in steps of 100 nV") {
    Calibration calibration;
    calibration.build(&straight_mv, nullptr, kBiasMv, kGainMilli);
    for (int raw = 0; raw < Calibration::kCodes; raw += 7) {
        // A reading of whole mV is half a millivolt low on average: 4545 steps of 100 nV a mV.
        const int exact = static_cast<int>(
            (static_cast<int64_t>(raw) * 33'000'000 / 4096 - 500 * 10 - kBiasMv * 10'000) / 1100);
        const int error = calibration.at(raw) - exact;
        CHECK(error >= -2);
        CHECK(error <= 2);
    }
}

TEST("the calibration follows a bent converter and never falls with a rising code") {
    Calibration calibration;
    calibration.build(&bent_mv, nullptr, kBiasMv, kGainMilli);
    for (int raw = 1; raw < Calibration::kCodes; ++raw) {
        CHECK(calibration.at(raw) >= calibration.at(raw - 1));
    }
    const int slope = calibration.at(3900) - calibration.at(3500);
    CHECK(slope > 400 * (33000 / 4096 - 2) * 100 / 110 / 10);
    CHECK(slope < 400 * 6 * 10 / 11);
}

TEST("a gain too low for int16 is limited, not wrapped") {
    Calibration calibration;
    calibration.build(&straight_mv, nullptr, kBiasMv, 100'000);
    CHECK_EQUAL(calibration.at(0), INT16_MIN);
    CHECK_EQUAL(calibration.at(4095), INT16_MAX);
}

TEST("the decimator keeps a level and gives one sample in eight") {
    Decimator decimator;
    int16_t out = 0;
    int outputs = 0;
    for (int i = 0; i < 800; ++i) {
        if (decimator.push(12345, out)) {
            ++outputs;
        }
    }
    CHECK_EQUAL(outputs, 100);
    CHECK_EQUAL(out, 12345);
}

TEST("the decimator does not overflow at the rails and removes what would fold") {
    Decimator decimator;
    int16_t out = 0;
    for (int i = 0; i < 160; ++i) {
        decimator.push(INT16_MIN, out);
    }
    CHECK_EQUAL(out, INT16_MIN);
    int16_t most = 0;
    // A square wave of 250 Hz folds onto 0 Hz.
    for (int i = 0; i < 1600; ++i) {
        if (decimator.push(i / 4 % 2 == 0 ? INT16_MAX : INT16_MIN, out) && i > 200) {
            most = out > most ? out : most;
            most = -out > most ? static_cast<int16_t>(-out) : most;
        }
    }
    CHECK(most <= 12);
    decimator.restart();
    // A step overshoots the rail: it is limited there.
    for (int i = 0; i < 320; ++i) {
        if (decimator.push(i < 80 ? INT16_MIN : INT16_MAX, out)) {
            CHECK(i < 160 || out == INT16_MAX);
        }
    }
}

TEST("an electrode counts as off after 20 ms and as on after 100 ms and 2 s of settling") {
    LeadOff lead;
    for (int i = 0; i < LeadOff::kSettlingSamples; ++i) {
        CHECK_EQUAL(lead.step(false, false, false), flag::kSettling);
    }
    CHECK_EQUAL(lead.step(false, false, false), 0);
    for (int i = 1; i < LeadOff::kOffAfterSamples; ++i) {
        CHECK_EQUAL(lead.step(true, false, false), 0);
    }
    CHECK_EQUAL(lead.step(true, false, false), flag::kLeadOffPlus);
    for (int i = 1; i < LeadOff::kOnAfterSamples; ++i) {
        CHECK_EQUAL(lead.step(false, false, false), flag::kLeadOffPlus);
    }
    for (int i = 0; i < LeadOff::kSettlingSamples; ++i) {
        CHECK_EQUAL(lead.step(false, false, false), flag::kSettling);
    }
    CHECK_EQUAL(lead.step(false, false, false), 0);
}

TEST("a pin that flickers faster than the debouncing changes nothing") {
    LeadOff lead;
    for (int i = 0; i < LeadOff::kSettlingSamples; ++i) {
        lead.step(false, false, false);
    }
    for (int i = 0; i < 1000; ++i) {
        CHECK_EQUAL(lead.step(false, i % LeadOff::kOffAfterSamples != 0, false), 0);
    }
}

TEST("settling starts with the last electrode and ends when one goes off again") {
    LeadOff lead;
    for (int i = 0; i < 100; ++i) {
        lead.step(true, true, false);
    }
    CHECK_EQUAL(lead.step(true, true, false), flag::kLeadOffPlus | flag::kLeadOffMinus);
    for (int i = 0; i < 100; ++i) {
        lead.step(false, true, false);
    }
    CHECK_EQUAL(lead.step(false, true, false), flag::kLeadOffMinus);
    for (int i = 0; i < 100; ++i) {
        lead.step(false, false, false);
    }
    CHECK_EQUAL(lead.step(false, false, false), flag::kSettling);
    for (int i = 0; i < 10; ++i) {
        lead.step(true, false, false);
    }
    CHECK_EQUAL(lead.step(true, false, false), flag::kLeadOffPlus);
}

TEST("saturation stays flagged for 200 ms") {
    LeadOff lead;
    for (int i = 0; i < LeadOff::kSettlingSamples; ++i) {
        lead.step(false, false, false);
    }
    for (int i = 0; i < LeadOff::kSaturationHoldSamples; ++i) {
        CHECK_EQUAL(lead.step(false, false, i == 0), flag::kSaturated);
    }
    CHECK_EQUAL(lead.step(false, false, false), 0);
}

TEST("a batch is closed when it is full, when the flags change, and where samples lack") {
    Cuts cuts;
    Batcher batcher(&Cuts::take, &cuts);
    for (uint64_t i = 0; i < 120; ++i) {
        batcher.push(i < 90 ? i : i + 5, static_cast<int16_t>(i), i < 60 ? 0 : 1,
                     4000 * static_cast<int64_t>(i));
    }
    batcher.flush();
    batcher.flush();
    CHECK_EQUAL(cuts.count, 4);
    const uint64_t firsts[] = {0, 50, 60, 95};
    const uint16_t counts[] = {50, 10, 30, 30};
    for (int i = 0; i < 4; ++i) {
        CHECK_EQUAL(cuts.at[i].first_sample, firsts[i]);
        CHECK_EQUAL(cuts.at[i].count, counts[i]);
        CHECK_EQUAL(cuts.at[i].flags, i < 2 ? 0 : 1);
    }
    CHECK_EQUAL(cuts.at[1].first_us, 200'000);
    CHECK_EQUAL(cuts.at[1].last_us, 236'000);
    CHECK_EQUAL(cuts.at[3].samples[29], 119);
}

TEST("a level at the pin becomes its voltage at the electrodes, on time") {
    Bench bench;
    bench.run(100, {2548, false, false});
    CHECK_EQUAL(bench.cuts.count, 1);
    const Cut& cut = bench.cuts.at[0];
    CHECK_EQUAL(cut.first_sample, Decimator::kWarmUpOutputs);
    CHECK_EQUAL(cut.flags, flag::kSettling);
    // The ninth output is due at tick 80; what it shows was there 19.75 ms earlier.
    CHECK_EQUAL(cut.first_us, 80 * 500 - 19'750);
    CHECK_EQUAL(cut.samples[10], bench.calibration.at(2548));
}

TEST("a few missed ticks are bridged: no sample is lost and the index holds") {
    Bench bench;
    bench.run(100);
    bench.tick(1 + Acquisition::kBridgedTicks, {kMiddle, false, false});
    for (int i = 0; i < 7; ++i) {
        bench.tick(1, {kMiddle, false, false});
    }
    bench.run(98);
    CHECK_EQUAL(bench.acquisition.missed_ticks(), Acquisition::kBridgedTicks);
    CHECK_EQUAL(bench.cuts.count, 3);
    CHECK_EQUAL(bench.cuts.at[2].first_sample, Decimator::kWarmUpOutputs + 100);
}

TEST("many missed ticks are a gap after which every index is still its time") {
    constexpr Reading kLevel = {2548, false, false};
    for (uint32_t missed = Acquisition::kBridgedTicks + 1; missed < 60; ++missed) {
        for (int before = 0; before < 2 * Decimator::kFactor; ++before) {
            Bench bench;
            bench.run(20, kLevel);
            for (int i = 0; i < before; ++i) {
                bench.tick(1, kLevel);
            }
            bench.tick(1 + missed, kLevel);
            bench.tick(1 + missed, kLevel);
            bench.run(100, kLevel);
            CHECK_EQUAL(bench.acquisition.missed_ticks(), 2 * missed);
            for (int i = 0; i < bench.cuts.count; ++i) {
                const Cut& cut = bench.cuts.at[i];
                const auto due_tick = static_cast<int64_t>((cut.first_sample + 1) * 8);
                CHECK_EQUAL(cut.first_us, due_tick * 500 - Acquisition::kDelayUs);
                // Nothing of the gap is in any sample.
                for (int sample = 0; sample < cut.count; ++sample) {
                    CHECK_EQUAL(cut.samples[sample], bench.calibration.at(kLevel.raw));
                }
            }
        }
    }
}

TEST("a reading outside the converter's straight range is flagged as saturated") {
    Bench bench;
    bench.run(600);
    CHECK_EQUAL(bench.cuts.at[11].flags, 0);
    bench.tick(1, {3001, false, false});
    bench.run(60);
    bench.tick(1, {99, false, false});
    bench.run(100);
    int saturated = 0;
    for (int i = 0; i < bench.cuts.count; ++i) {
        saturated += bench.cuts.at[i].flags == flag::kSaturated ? bench.cuts.at[i].count : 0;
    }
    CHECK_EQUAL(saturated, 2 * LeadOff::kSaturationHoldSamples);
}

TEST("each electrode's pin is seen through to the flags") {
    for (int turn = 0; turn < 2; ++turn) {
        const bool plus = turn == 0;
        Bench bench;
        bench.run(600);
        bench.run(100, {kMiddle, plus, !plus});
        const Cut& last = bench.cuts.at[bench.cuts.count - 1];
        CHECK_EQUAL(last.flags, plus ? flag::kLeadOffPlus : flag::kLeadOffMinus);
    }
}

TEST("a front end that is switched off is flagged until it has settled again") {
    Bench bench;
    bench.run(600);
    bench.acquisition.shut_down();
    bench.run(50);
    const int before = bench.cuts.count;
    CHECK_EQUAL(bench.cuts.at[before - 1].flags, flag::kLeadOffPlus | flag::kLeadOffMinus);
    bench.run(50);
    CHECK_EQUAL(bench.cuts.at[bench.cuts.count - 1].flags, flag::kSettling);
}
