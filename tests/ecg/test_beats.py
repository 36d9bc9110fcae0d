from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bedside.ecg.beats import UNDECIDED, BeatClassifier, Verdict
from bedside.ecg.filters import BandPass
from bedside.events import BeatClass
from tests.ecg.heartbeats import RATE, heart, steady

N, S, V, Q = (
    BeatClass.NORMAL,
    BeatClass.SUPRAVENTRICULAR,
    BeatClass.VENTRICULAR,
    BeatClass.UNKNOWN,
)


def classes(
    x: NDArray[np.float64], peaks: list[int], classifier: BeatClassifier | None = None
) -> list[BeatClass]:
    """The class of each beat of a signal whose R peaks are given."""
    return [verdict.beat_class for verdict in verdicts(x, peaks, classifier)]


def verdicts(
    x: NDArray[np.float64], peaks: list[int], classifier: BeatClassifier | None = None
) -> list[Verdict]:
    """What the classifier says of each beat of a signal whose R peaks are given."""
    classifier = classifier or BeatClassifier()
    filtered = BandPass().process(x)
    gaps_s = [None, *(np.diff(peaks) / RATE).tolist(), None]
    found = []
    for number, peak in enumerate(peaks):
        first = peak + BandPass.delay_samples - 80
        window_mv = filtered[first : first + 192]
        found.append(classifier.classify(window_mv, gaps_s[number], gaps_s[number + 1]))
    return found


def with_early(rate_bpm: float, early: dict[int, float], seconds: float = 60) -> list[int]:
    """Regular R peaks; beat number k comes at `early[k]` of its interval, the next one in time."""
    peaks = [int(peak) for peak in steady(rate_bpm, seconds)]
    step = peaks[1] - peaks[0]
    return [peak - round(step * (1 - early.get(k, 1.0))) for k, peak in enumerate(peaks)]


def test_a_steady_heart_has_normal_beats_only() -> None:
    peaks = with_early(70, {})
    assert set(classes(heart(peaks, 60), peaks)) == {N}


@pytest.mark.parametrize("polarity", [1.0, -1.0])
def test_early_wide_beats_are_ventricular(polarity: float) -> None:
    early = {20: 0.7, 31: 0.7, 43: 0.7, 52: 0.7}
    peaks = with_early(70, early)
    found = classes(polarity * heart(peaks, 60, wide=tuple(early)), peaks)
    assert [number for number, beat_class in enumerate(found) if beat_class is V] == list(early)


def test_early_beats_of_the_usual_shape_are_supraventricular() -> None:
    early = {20: 0.62, 31: 0.62, 43: 0.62}
    peaks = with_early(70, early)
    found = classes(heart(peaks, 60), peaks)
    assert [number for number, beat_class in enumerate(found) if beat_class is S] == list(early)


def test_a_run_of_wide_beats_is_ventricular_to_its_last() -> None:
    peaks = [int(peak) for peak in steady(70, 40)]
    run = [peaks[-1] + round(RATE * 0.4 * k) for k in range(1, 15)]
    x = heart(peaks + run, 50, wide=tuple(range(len(peaks), len(peaks) + len(run))))
    found = classes(x, peaks + run)
    assert found[len(peaks) + 1 :] == [V] * (len(run) - 1)


def test_a_beat_lost_in_a_flat_line_is_unknown_and_teaches_nothing() -> None:
    classifier = BeatClassifier()
    assert classifier.classify(np.zeros(192), 0.8, 0.8) == UNDECIDED
    assert classifier.classify(np.full(192, np.nan), 0.8, 0.8) == UNDECIDED
    peaks = with_early(70, {})
    assert set(classes(heart(peaks, 60), peaks, classifier)) == {N}


def test_a_window_may_lie_in_memory_as_it_likes() -> None:
    window_mv = heart([80], 1)[:192]
    column_mv = np.stack((window_mv, window_mv), axis=1)[:, 0]
    assert BeatClassifier().classify(column_mv, 0.8, 0.8) == BeatClassifier().classify(
        window_mv, 0.8, 0.8
    )


def test_the_odds_against_a_normal_beat_agree_with_its_class() -> None:
    early = {20: 0.7, 31: 0.62}
    peaks = with_early(70, early)
    found = verdicts(heart(peaks, 60, wide=(20,)), peaks)
    for verdict in found:
        # Odds above 2 leave one of the two other classes likelier than a normal beat.
        assert verdict.abnormal_log_odds < np.log(2) or verdict.beat_class is not N
        assert verdict.abnormal_log_odds > 0 or verdict.beat_class is N
    assert {found[20].beat_class, found[19].beat_class} == {V, N}


def test_other_votes_than_the_shipped_ones_decide_alone() -> None:
    peaks = with_early(70, {})
    contrary = BeatClassifier(lambda evidence: np.array([0.0, -1.0, 3.0]))
    found = verdicts(heart(peaks, 60), peaks, contrary)
    odds = np.log(np.exp(-1.0) + np.exp(3.0))
    assert all(
        one.beat_class is V and one.abnormal_log_odds == pytest.approx(odds) for one in found
    )


def test_after_a_reset_the_patient_is_forgotten() -> None:
    early = {20: 0.7, 31: 0.7}
    peaks = with_early(70, early)
    x = heart(peaks, 60, wide=tuple(early))
    classifier = BeatClassifier()
    first = classes(x, peaks, classifier)
    classifier.reset()
    assert classes(x, peaks, classifier) == first


def test_the_gain_of_the_source_changes_no_class() -> None:
    early = {20: 0.7, 31: 0.62}
    peaks = with_early(70, early)
    x = heart(peaks, 60, wide=(20,))
    assert classes(3.0 * x, peaks) == classes(x, peaks)


def test_the_ventricular_beats_of_a_real_heart_are_told(ecg_data: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    from bedside.ecg.resampling import Resampler

    name = str(ecg_data / "mitdb" / "119")
    notes = wfdb.rdann(name, "atr")
    beats = [(s, c) for s, c in zip(notes.sample, notes.symbol, strict=True) if c in "NV"]
    x = Resampler(360.0).process(wfdb.rdrecord(name, channels=[0]).p_signal[:, 0])
    beats = [(round(s * 250 / 360), c) for s, c in beats if 300 < s < 640000]
    found = classes(x, [peak for peak, _ in beats])
    right = [beat_class.value == c for beat_class, (_, c) in zip(found, beats, strict=True)]
    assert np.mean(right[300:]) > 0.99


def saying(supraventricular: float, ventricular: float = -9.0) -> BeatClassifier:
    """A classifier whose trees say the same of every beat: log-odds against a normal one."""
    return BeatClassifier(lambda evidence: np.array([0.0, supraventricular, ventricular]))


def irregular(beats: int) -> list[int]:
    """R peaks of a heart whose atria fibrillate."""
    intervals_s = np.random.default_rng(1).uniform(0.45, 1.05, beats)
    return [int(peak) for peak in np.cumsum(intervals_s * RATE)]


def test_while_the_atria_fibrillate_a_beat_of_theirs_takes_odds_of_ten_to_one() -> None:
    peaks = irregular(130)
    x = heart(peaks, 110)
    unlikely, likely, sure = (verdicts(x, peaks, saying(np.log(odds))) for odds in (0.9, 9.0, 11.0))
    assert {one.beat_class for one in likely[90:]} == {N}
    assert {one.beat_class for one in sure[90:]} == {S}
    assert likely[-1].abnormal_log_odds == pytest.approx(np.log(0.9), abs=1e-3)
    assert sure[-1].abnormal_log_odds == pytest.approx(np.log(1.1), abs=1e-3)
    assert unlikely[-1].abnormal_log_odds == pytest.approx(np.log(0.09), abs=1e-2)


def test_while_the_atria_fibrillate_what_may_be_ventricular_is_not_called_normal() -> None:
    peaks = irregular(130)
    found = verdicts(heart(peaks, 110), peaks, saying(2.2, 2.1))
    assert found[10].beat_class is S
    assert {one.beat_class for one in found[90:]} == {V}


def test_a_minute_without_a_gap_must_be_irregular_before_it_counts() -> None:
    peaks = irregular(130)
    x = heart(peaks, 110)
    found = classes(x, peaks, saying(1.0))
    first = found.index(N)
    assert peaks[first] - peaks[0] >= 60 * RATE
    classifier = saying(1.0)
    classes(x, peaks, classifier)
    again = [peak for peak in peaks if peak < 55 * RATE]
    assert set(classes(x, again, classifier)) == {S}


def test_a_minute_after_the_rhythm_has_become_steady_the_trees_decide_again() -> None:
    peaks = irregular(130)
    steadily = [peaks[-1] + round(0.8 * RATE * k) for k in range(1, 90)]
    found = classes(heart(peaks + steadily, 185), peaks + steadily, saying(1.0))
    assert found[len(peaks) - 1] is N
    assert set(found[-10:]) == {S}


@pytest.mark.parametrize("between", ["ventricular", "undecided"])
def test_intervals_beside_such_beats_say_nothing_of_the_atria(between: str) -> None:
    peaks, turns = irregular(130), iter(range(10_000))
    ventricular = 9.0 if between == "ventricular" else -9.0
    classifier = BeatClassifier(
        lambda evidence: np.array([0.0, 1.0, ventricular if next(turns) % 2 else -9.0])
    )
    window_mv = heart([80], 1)[:192]
    found = []
    for number, rr_s in enumerate([None, *(np.diff(peaks) / RATE).tolist()]):
        lost = between == "undecided" and number % 2
        found.append(classifier.classify(0.0 * window_mv if lost else window_mv, rr_s, 0.8))
    assert {one.beat_class for one in found} == {S, V if between == "ventricular" else Q}
