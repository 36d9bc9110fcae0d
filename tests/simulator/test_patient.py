"""A synthetic patient shows the rhythm asked for, the same one each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks, welch

from bedside.errors import SettingsError
from bedside.simulator.heart import RhythmKind
from bedside.simulator.patient import Rhythm, SyntheticPatient

RATE_HZ = 250.0


def signal(text: str, seconds: float = 60.0, **settings: float) -> np.ndarray:
    patient = SyntheticPatient(RATE_HZ, Rhythm.parse(text), noise_mv=0.0, **settings)
    return patient.take(round(seconds * RATE_HZ))


def peaks(ecg_mv: np.ndarray) -> np.ndarray:
    return find_peaks(ecg_mv, height=0.6, distance=40)[0]


@pytest.mark.parametrize("rate", [30, 45, 60, 75, 120, 160, 200])
def test_a_sinus_rhythm_has_its_rate(rate: int) -> None:
    rr_s = np.diff(peaks(signal(f"sinus:{rate}"))) / RATE_HZ
    assert 60 / rr_s.mean() == pytest.approx(rate, rel=0.02)
    assert rr_s.std() < 0.05 * rr_s.mean()


def test_every_sixth_beat_is_early_tall_and_followed_by_a_pause() -> None:
    ecg_mv = signal("pvcs:75")
    found = peaks(ecg_mv)
    ectopic = np.flatnonzero(ecg_mv[found] > 1.15)[1:-1]
    assert set(np.diff(ectopic)) == {6}
    rr_s = np.diff(found) / RATE_HZ
    assert (rr_s[ectopic - 1] < 0.6).all()
    assert (rr_s[ectopic] > 1.0).all()


def test_a_ventricular_tachycardia_is_fast_and_wide() -> None:
    ecg_mv = signal("vt:180")
    assert len(peaks(ecg_mv)) == pytest.approx(180, abs=3)
    assert (ecg_mv > 0.6).mean() > 4 * (signal("sinus:180") > 0.6).mean() / 2


def test_fibrillation_oscillates_around_five_hertz_without_beats() -> None:
    frequency_hz, power = welch(signal("vf"), RATE_HZ, nperseg=1024)
    assert 4 < frequency_hz[power.argmax()] < 6.5
    assert power[(frequency_hz > 3) & (frequency_hz < 10)].sum() > 0.85 * power.sum()


def test_an_asystole_is_flat() -> None:
    assert np.abs(signal("asystole")).max() < 0.05


def test_a_beat_that_began_ends_after_the_rhythm_changed_and_no_other_follows() -> None:
    patient = SyntheticPatient(RATE_HZ, Rhythm.parse("sinus:60"), noise_mv=0.0)
    before = patient.take(int(10.4 * RATE_HZ))
    patient.change(Rhythm.parse("asystole"))
    after = patient.take(int(20 * RATE_HZ))
    assert abs(after[0] - before[-1]) < 0.1
    assert len(peaks(after)) == 0


def test_twice_the_amplitude_is_twice_the_signal() -> None:
    respiration = signal("asystole")
    np.testing.assert_allclose(
        2 * (signal("sinus:80") - respiration),
        signal("sinus:80", amplitude_mv=2.0) - respiration,
        atol=1e-12,
    )


@given(
    st.sampled_from([kind.value for kind in RhythmKind]),
    st.lists(st.integers(0, 400), min_size=1, max_size=8),
    st.integers(0, 5),
)
def test_the_same_seed_gives_the_same_signal_however_it_is_cut(
    text: str, counts: list[int], seed: int
) -> None:
    whole = SyntheticPatient(RATE_HZ, Rhythm.parse(text), seed=seed).take(sum(counts))
    patient = SyntheticPatient(RATE_HZ, Rhythm.parse(text), seed=seed)
    cut = np.concatenate([patient.take(count) for count in counts])
    np.testing.assert_allclose(cut, whole, atol=1e-9)


@pytest.mark.parametrize("text", ["", "polka", "sinus:fast", "sinus:5", "sinus:900", "vt:nan"])
def test_an_unknown_rhythm_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match="choose") as caught:
        Rhythm.parse(text)
    assert str(caught.value).endswith(".")


def test_a_ventricular_tachycardia_has_its_own_usual_rate() -> None:
    assert Rhythm.parse("vt") == Rhythm(RhythmKind.VT, 180.0)


def test_there_are_twenty_rhythms_and_more_and_each_has_its_own_signal() -> None:
    seen = [signal(kind.value, 20) for kind in RhythmKind if kind is not RhythmKind.LEAD_OFF]
    assert len(seen) >= 20
    for number, one in enumerate(seen):
        for other in seen[number + 1 :]:
            assert np.abs(one - other).max() > 0.05


def test_an_atrial_fibrillation_is_irregular_and_a_paced_rhythm_is_not() -> None:
    spread = {
        text: np.std(np.diff(peaks(signal(text)))) / np.mean(np.diff(peaks(signal(text))))
        for text in ("af", "sinus:75", "flutter")
    }
    assert spread["af"] > 0.15 > 0.05 > spread["sinus:75"] > spread["flutter"]


@pytest.mark.parametrize(
    ("text", "rate"),
    [("wenckebach:80", 60), ("mobitz-2:75", 50), ("av-block-3:35", 35), ("idioventricular:40", 40)],
)
def test_a_block_conducts_as_many_beats_as_it_should(text: str, rate: int) -> None:
    assert len(peaks(signal(text))) == pytest.approx(rate, abs=2)


def test_pauses_last_longer_than_three_seconds() -> None:
    assert 3.0 < np.diff(peaks(signal("pauses"))).max() / RATE_HZ < 3.5
