import numpy as np
import pytest

from bedside.ecg.rhythm import HOLD_S, Finding, Rhythm
from bedside.events import BeatClass
from bedside.limits import Limits

N, S, V = BeatClass.NORMAL, BeatClass.SUPRAVENTRICULAR, BeatClass.VENTRICULAR
RATE = 250
STEP = 50


def play(
    beats: list[tuple[float, BeatClass]], seconds: float, limits: Limits | None = None
) -> list[tuple[float, Finding]]:
    """Beats at seconds, each known 0.28 s later and its class 0.46 s later; what was found when."""
    rhythm = Rhythm(limits)
    found: list[tuple[float, Finding]] = []
    peaks, classes = list(beats), list(beats)
    for now in range(STEP, round(seconds * RATE) + 1, STEP):
        while peaks and peaks[0][0] + 0.28 <= now / RATE:
            rhythm.peak(round(peaks.pop(0)[0] * RATE))
        while classes and classes[0][0] + 0.46 <= now / RATE:
            at_s, beat_class = classes.pop(0)
            rhythm.beat(round(at_s * RATE), beat_class)
        found += [(now / RATE, finding) for finding in rhythm.advance(now)]
    return found


def paced(rates: list[tuple[float, float]]) -> list[tuple[float, BeatClass]]:
    """Normal beats: (rate per minute, for how many seconds), one after the other."""
    beats, at_s, end_s = [], 0.5, 0.0
    for rate_bpm, seconds in rates:
        end_s += seconds
        while at_s < end_s:
            beats.append((at_s, N))
            at_s += 60.0 / rate_bpm
    return beats


def times(found: list[tuple[float, Finding]], code: str) -> list[tuple[float, bool]]:
    return [(at_s, finding.present) for at_s, finding in found if finding.code == code]


def test_a_normal_rhythm_finds_nothing() -> None:
    assert play(paced([(72, 120)]), 120) == []


def test_arrest_is_asystole_within_five_seconds_of_the_last_qrs() -> None:
    beats = paced([(70, 20)])
    last_s = beats[-1][0]
    found = play(beats, 40)
    [(at_s, present)] = times(found, "asystole")
    assert present
    assert 4.0 <= at_s - last_s <= 5.0
    [finding] = [finding for _, finding in found if finding.code == "asystole"]
    assert finding.onset_position == round(last_s * RATE)


def test_a_flat_line_from_the_start_is_asystole() -> None:
    [(at_s, present)] = times(play([], 10), "asystole")
    assert present
    assert at_s <= 5.0


def test_asystole_ends_when_the_heart_has_beaten_again_for_five_seconds() -> None:
    beats = [*paced([(70, 10)]), *((at_s + 18.0, N) for at_s, _ in paced([(70, 12)]))]
    found = times(play(beats, 30), "asystole")
    assert [present for _, present in found] == [True, False]
    assert found[1][0] - beats[12][0] == pytest.approx(5.0, abs=0.5)


def test_single_beats_in_an_arrest_do_not_make_it_many() -> None:
    beats = paced([(70, 10)])
    beats += [(beats[-1][0] + 6.0 * n, N) for n in range(1, 8)]
    assert [present for _, present in times(play(beats, 50), "asystole")] == [True]


@pytest.mark.parametrize("gap_s", [2.55, 2.7, 3.0, 3.8])
def test_a_pause_is_found_within_three_seconds_however_it_ends(gap_s: float) -> None:
    beats = paced([(70, 20)])
    last_s = beats[-1][0]
    beats += [(last_s + gap_s + at_s - 0.5, N) for at_s, _ in paced([(70, 40)])]
    found = times(play(beats, 61), "pause")
    assert [present for _, present in found] == [True, False]
    assert 2.5 <= found[0][0] - last_s <= 3.01
    assert found[1][0] - found[0][0] >= HOLD_S["pause"] - 0.5


@pytest.mark.parametrize("gap_s", [2.0, 2.3, 2.44])
def test_a_shorter_pause_is_none(gap_s: float) -> None:
    beats = paced([(70, 20)])
    beats += [(beats[-1][0] + gap_s + at_s - 0.5, N) for at_s, _ in paced([(70, 10)])]
    assert times(play(beats, 32), "pause") == []


@pytest.mark.parametrize(
    ("code", "rate_bpm"),
    [
        ("tachy", 126),
        ("tachy", 135),
        ("brady", 46),
        ("brady", 42),
        ("brady", 40),
        ("extreme-tachy", 150),
        ("extreme-tachy", 190),
        ("extreme-brady", 37),
        ("extreme-brady", 30),
    ],
)
def test_a_rate_beyond_its_limit_is_found_within_ten_seconds(code: str, rate_bpm: float) -> None:
    found = play(paced([(80, 30), (rate_bpm, 20)]), 50)
    present = times(found, code)
    assert [present for _, present in present] == [True]
    assert present[0][0] - 30.0 <= 10.0 + 60.0 / rate_bpm


@pytest.mark.parametrize("rate_bpm", [52, 60, 100, 118])
def test_a_rate_within_its_limits_is_quiet(rate_bpm: float) -> None:
    assert play(paced([(80, 20), (rate_bpm, 60)]), 80) == []


@pytest.mark.parametrize(
    ("rate_bpm", "said"), [(49.4, "49"), (49.7, ""), (120.4, ""), (120.6, "121")]
)
def test_the_rate_that_is_shown_is_the_one_that_is_judged(rate_bpm: float, said: str) -> None:
    found = play(paced([(80, 20), (rate_bpm, 30)]), 50)
    texts = [finding.text.split("/min")[0] for _, finding in found]
    assert texts == ([f"heart rate {said}"] if said else [])


def test_a_rate_alarm_ends_only_when_the_rate_is_well_inside_its_limit() -> None:
    found = play(paced([(80, 20), (126, 20), (119, 80), (110, 80)]), 200)
    (_, began), (ended_s, present) = times(found, "tachy")
    assert began
    assert not present
    assert 120.0 + HOLD_S["tachy"] <= ended_s <= 125.0 + HOLD_S["tachy"]


@pytest.mark.parametrize("rate_bpm", [40, 120])
def test_the_displayed_rate_follows_a_step_within_eight_seconds(rate_bpm: float) -> None:
    rhythm = Rhythm()
    shown = []
    for at_s, beat_class in paced([(80, 30), (rate_bpm, 15)]):
        rhythm.beat(round(at_s * RATE), beat_class)
        shown.append((at_s, rhythm.heart_rate_bpm))
    arrived = [at_s for at_s, rate in shown if at_s > 30 and abs((rate or 0) - rate_bpm) < 2]
    assert arrived[0] - 30.0 + 0.5 <= 8.0


def test_the_displayed_rate_of_bigeminy_is_its_mean() -> None:
    rhythm = Rhythm()
    at_s = 0.0
    for number in range(30):
        at_s += 0.5 if number % 2 else 1.0
        rhythm.beat(round(at_s * RATE), V if number % 2 else N)
    assert rhythm.heart_rate_bpm == pytest.approx(80.0, abs=0.5)


def test_the_displayed_rate_is_unknown_before_two_beats_and_zero_in_asystole() -> None:
    rhythm = Rhythm()
    assert rhythm.heart_rate_bpm is None
    rhythm.beat(100, N)
    assert rhythm.heart_rate_bpm is None
    rhythm.beat(300, N)
    assert rhythm.heart_rate_bpm == pytest.approx(75.0)
    rhythm.advance(300 + 5 * RATE)
    assert rhythm.heart_rate_bpm == 0.0


def run_of(count: int, rate_bpm: float) -> list[tuple[float, BeatClass]]:
    beats = paced([(75, 20)])
    start_s = beats[-1][0] + 0.5
    run = [(start_s + number * 60.0 / rate_bpm, V) for number in range(count)]
    after = [(run[-1][0] + at_s, N) for at_s, _ in paced([(75, 45)])]
    return beats + run + after


def test_five_fast_ventricular_beats_are_a_tachycardia_in_eight_seconds() -> None:
    beats = run_of(5, 150)
    onset_s = next(at_s for at_s, beat_class in beats if beat_class is V)
    found = play(beats, 60)
    assert [present for _, present in times(found, "vt")] == [True, False]
    assert times(found, "vt")[0][0] - onset_s <= 8.0


@pytest.mark.parametrize("count", [3, 4])
def test_three_or_four_are_a_run(count: int) -> None:
    found = play(run_of(count, 150), 60)
    assert [present for _, present in times(found, "pvc-run")] == [True, False]
    assert times(found, "vt") == []


def test_a_slow_ventricular_rhythm_is_no_tachycardia() -> None:
    assert times(play(run_of(12, 80), 45), "vt") == []


def test_a_couplet_is_no_run() -> None:
    assert times(play(run_of(2, 150), 40), "pvc-run") == []


def called(names: str) -> list[tuple[float, BeatClass]]:
    """Beats of the given classes, 130 a minute, in a rhythm of 70."""
    beats = paced([(70, 12)])
    first_s = beats[-1][0] + 0.5
    beats += [(first_s + 60.0 / 130.0 * n, BeatClass(name)) for n, name in enumerate(names)]
    return beats + [(beats[-1][0] + at_s + 0.4, N) for at_s, _ in paced([(70, 12)])]


@pytest.mark.parametrize("names", ["VVNVVV", "VVVNVV", "VVVQVVV", "VVVSVVNVV"])
def test_one_beat_of_another_kind_ends_no_tachycardia(names: str) -> None:
    beats = called(names)
    found = times(play(beats, 34), "vt")
    assert [present for _, present in found] == [True, False]
    assert found[0][0] - next(at_s for at_s, beat_class in beats if beat_class is V) <= 8.0


def test_such_a_tachycardia_begins_with_its_first_beat_and_says_what_was_counted() -> None:
    beats = called("VVNVVV")
    [said] = [one for _, one in play(beats, 34) if one.code == "vt" and one.present]
    onset_s = next(at_s for at_s, beat_class in beats if beat_class is V)
    assert said.onset_position == round(onset_s * RATE)
    assert said.text == "5 ventricular beats of 6 at 130/min"


@pytest.mark.parametrize("names", ["VVNVV", "VVNVVNVV", "VVVVNVN", "VNVVVV", "VVNNVVV"])
@pytest.mark.parametrize("vt_beats", [5, 6])
def test_couplets_and_runs_between_other_beats_are_no_tachycardia(
    names: str, vt_beats: int
) -> None:
    assert times(play(called(names), 34, Limits(vt_beats=vt_beats)), "vt") == []


@pytest.mark.parametrize("vt_beats", [3, 4])
def test_two_couplets_are_none_however_few_beats_make_one(vt_beats: int) -> None:
    assert times(play(called("VVNVV"), 34, Limits(vt_beats=vt_beats)), "vt") == []


def test_beats_as_near_as_noise_makes_them_excuse_no_other_beat() -> None:
    beats = called("VVNVVV")
    first = next(n for n, (_, beat_class) in enumerate(beats) if beat_class is V)
    beats[first + 1] = (beats[first][0] + 0.18, V)
    assert times(play(beats, 34), "vt") == []


def test_a_run_beside_a_slower_one_is_still_a_run() -> None:
    beats = paced([(75, 12)])
    at_s = beats[-1][0]
    for step_s, beat_class in zip(
        (0.6, 0.6, 1.2, 0.6, 0.65, 0.65), (V, V, N, V, V, V), strict=True
    ):
        at_s += step_s
        beats.append((at_s, beat_class))
    beats += [(at_s + 0.9 + 0.8 * k, N) for k in range(20)]
    found = play(beats, 26)
    [said] = [one for _, one in found if one.code == "pvc-run" and one.present]
    assert (said.text, said.value) == ("3 ventricular beats in a row", 3.0)
    assert times(found, "vt") == []


def bigeminy(count: int, start_s: float, first: BeatClass = N) -> list[tuple[float, BeatClass]]:
    """Every second beat ventricular and early."""
    shift = 0 if first is N else 1
    return [
        (start_s + 0.8 * n - 0.25 * ((n + shift) % 2), V if (n + shift) % 2 else N)
        for n in range(count)
    ]


@pytest.mark.parametrize("first", [N, V])
def test_every_second_beat_ventricular_is_bigeminy_whichever_comes_first(first: BeatClass) -> None:
    beats = bigeminy(12, 0.5, first)
    beats += [(0.8 * n + 0.5, N) for n in range(12, 200)]
    found = times(play(beats, 160), "bigeminy")
    assert [present for _, present in found] == [True, False]
    assert found[0][0] - beats[7][0] <= 2.0


def test_bigeminy_that_a_few_other_beats_interrupt_is_one_episode() -> None:
    beats = bigeminy(12, 0.5)
    for _ in range(4):
        start_s = beats[-1][0] + 1.05
        beats += [(start_s + 0.8 * n, N) for n in range(8)]
        beats += bigeminy(12, start_s + 6.4)
    assert [present for _, present in times(play(beats, 75), "bigeminy")] == [True]


@pytest.mark.parametrize("unheard", [1, 3, 5])
def test_bigeminy_needs_no_longer_when_one_ventricular_beat_goes_unheard(unheard: int) -> None:
    beats = bigeminy(12, 0.5)
    heard = beats[:unheard] + beats[unheard + 1 :]
    found = times(play(heard, 11), "bigeminy")
    assert [present for _, present in found] == [True]
    assert found[0][0] - beats[7][0] <= 2.0


def test_bigeminy_needs_no_longer_when_noise_hides_a_pair() -> None:
    beats = bigeminy(12, 0.5)
    beats[4:6] = [(at_s, BeatClass.UNKNOWN) for at_s, _ in beats[4:6]]
    found = times(play(beats, 11), "bigeminy")
    assert [present for _, present in found] == [True]
    assert found[0][0] - beats[7][0] <= 2.0


def test_a_ventricular_beat_in_every_fourth_is_no_bigeminy() -> None:
    beats = [beat for n, beat in enumerate(bigeminy(60, 0.5)) if n % 4 != 1]
    assert times(play(beats, 50), "bigeminy") == []


def test_a_ventricular_beat_of_bigeminy_that_goes_unheard_slows_no_heart() -> None:
    beats = [(at_s * 1.3, beat_class) for at_s, beat_class in bigeminy(40, 0.5)]
    heard = [beat for n, beat in enumerate(beats) if n % 8 != 7]
    assert times(play(heard, 55), "brady") == []


@pytest.mark.parametrize("usual_s", [0.8, 1.0, 1.15])
def test_one_beat_that_is_not_heard_makes_no_bradycardia(usual_s: float) -> None:
    beats = [(usual_s * n + 0.5, N) for n in range(50) if n != 30]
    assert times(play(beats, 45), "brady") == []


def test_beats_that_only_look_different_in_turn_are_no_bigeminy() -> None:
    beats = [(0.5 * n + 0.5, V if n % 2 else N) for n in range(60)]
    assert times(play(beats, 32), "bigeminy") == []


@pytest.mark.parametrize("known", [3, 8])
def test_calibration_pulses_that_look_ventricular_are_no_tachycardia(known: int) -> None:
    beats = [(0.5 * n + 0.5, N if n < known else V) for n in range(60)]
    assert play(beats, 31) == []


def test_a_run_that_is_faster_than_the_rhythm_before_it_is_a_tachycardia() -> None:
    beats = paced([(95, 20)])
    beats += [(beats[-1][0] + 60 / 115 * n, V) for n in range(1, 12)]
    assert times(play(beats, 26), "vt")[0][1]


def test_a_tachycardia_is_found_in_a_bed_that_has_seen_no_other_rhythm() -> None:
    beats = [(0.4 * n + 0.5, V) for n in range(20)]
    assert times(play(beats, 9), "vt")[0][1]


def test_an_irregularly_irregular_minute_is_found_and_ends_with_a_regular_one() -> None:
    rng = np.random.default_rng(3)
    beats, at_s = [], 0.5
    while at_s < 90:
        beats.append((at_s, N))
        at_s += float(rng.uniform(0.5, 1.1))
    while at_s < 300:
        beats.append((at_s, N))
        at_s += 0.8
    found = times(play(beats, 300), "irregular")
    assert [present for _, present in found] == [True, False]
    assert 60.0 <= found[0][0] <= 65.0


def test_an_irregular_rhythm_that_calms_a_little_is_still_the_same_episode() -> None:
    def calmer(at_s: float, end_s: float) -> list[tuple[float, BeatClass]]:
        """Four steps of more than 10 % in nine intervals, in no order."""
        rng = np.random.default_rng(5)
        beats, rr_s = [], 0.7
        while at_s < end_s:
            for is_step in rng.permutation(9) < 4:
                beats.append((at_s, N))
                rr_s = 1.6 - rr_s if is_step else rr_s
                at_s += rr_s
        return beats

    rng = np.random.default_rng(3)
    beats, at_s = [], 0.5
    while at_s < 90:
        beats.append((at_s, N))
        at_s += float(rng.uniform(0.5, 1.1))
    assert times(play(calmer(0.5, 400), 400), "irregular") == []
    found = times(play(beats + calmer(at_s, 500), 500), "irregular")
    assert [present for _, present in found] == [True]


@pytest.mark.parametrize(
    ("breath_s", "early_s"), [(0.12, 0.0), (0.2, 0.0), (0.0, 0.3), (0.03, 0.3)]
)
def test_breathing_and_early_beats_are_not_irregularly_irregular(
    breath_s: float, early_s: float
) -> None:
    beats, at_s = [], 0.5
    for number in range(160):
        beats.append((at_s, N))
        at_s += 0.85 + breath_s * np.sin(2 * np.pi * at_s / 4.5)
        at_s -= early_s if number % 9 == 8 else 0.0
    assert times(play(beats, at_s), "irregular") == []


def test_limits_can_be_set() -> None:
    found = play(paced([(72, 30)]), 30, Limits(tachy_bpm=70.0))
    assert [present for _, present in times(found, "tachy")] == [True]


def test_after_a_reset_the_time_before_does_not_count() -> None:
    rhythm = Rhythm()
    for at_s, beat_class in paced([(70, 10)]):
        rhythm.beat(round(at_s * RATE), beat_class)
    rhythm.reset(30 * RATE)
    assert rhythm.advance(32 * RATE) == []
    assert rhythm.heart_rate_bpm is None


def test_how_often_one_asks_does_not_change_what_is_found() -> None:
    beats = [(at_s, N) for at_s in (1.0, 2.0, 3.0, 6.0, 7.0, 8.0, 14.0, 15.0)]
    often, once = Rhythm(), Rhythm()
    found = []
    for at_s, beat_class in beats:
        often.beat(round(at_s * RATE), beat_class)
        once.beat(round(at_s * RATE), beat_class)
        found += often.advance(round(at_s * RATE) + 70)
    assert [(f.code, f.present) for f in found if f.code == "asystole"] == [
        (f.code, f.present) for f in once.advance(15 * RATE + 70) if f.code == "asystole"
    ]
