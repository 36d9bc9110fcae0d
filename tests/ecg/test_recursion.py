import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from bedside.ecg import fibrillation, filters, mains, quality
from bedside.ecg.recursion import recursive

DESIGNS = {
    "monitoring, high": (
        (*filters.HIGH, filters.HIGH_AT_REST),
        signal.butter(2, filters.HIGH_PASS_HZ, "highpass", fs=250.0),
    ),
    "monitoring, low": (
        (*filters.LOW, None),
        signal.bessel(4, filters.LOW_PASS_HZ, "lowpass", fs=250.0, norm="mag"),
    ),
    "muscle": (
        (*quality.FAST, quality.FAST_AT_REST),
        signal.butter(2, 25.0, "highpass", fs=250.0),
    ),
    "fibrillation": (
        (*fibrillation.BAND, fibrillation.BAND_AT_REST),
        signal.butter(2, (1.0, 30.0), "bandpass", fs=250.0),
    ),
} | {
    f"mains, {hz:g} Hz": (mains.NOTCHES[hz], signal.iirnotch(hz, hz / mains.NOTCH_WIDTH_HZ, 250.0))
    for hz in mains.MAINS_HZ
}


@pytest.mark.parametrize("name", DESIGNS)
def test_the_coefficients_are_those_of_their_designs(name: str) -> None:
    (numerator, denominator, at_rest), design = DESIGNS[name]
    assert numerator == pytest.approx(design[0], rel=1e-9, abs=1e-12)
    assert denominator == pytest.approx(design[1], rel=1e-9, abs=1e-12)
    if at_rest is not None:
        assert at_rest == pytest.approx(signal.lfilter_zi(*design), rel=1e-6)


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 300))
def test_it_filters_as_scipy_does_to_the_bit(seed: int, length: int) -> None:
    random = np.random.default_rng(seed)
    samples = random.standard_normal(length)
    state = random.standard_normal(2)
    found, after = recursive(*filters.HIGH, samples, state)
    expected, expected_after = signal.lfilter(*filters.HIGH, samples, zi=state)
    assert np.array_equal(found, expected)
    assert np.array_equal(after, expected_after)


def test_a_scipy_that_keeps_its_filter_elsewhere_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "scipy" / "signal").mkdir(parents=True)
    for file in ("__init__.py", "signal/_sigtools.py"):
        (tmp_path / "scipy" / file).touch()
    code = "import sys; sys.path[:0] = sys.argv[1:]; import bedside.ecg.recursion"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "bedside.errors.BedsideError: The filter of the installed scipy lies elsewhere: install "
        "scipy 1.17."
    )


def test_a_station_starts_without_the_rest_of_scipy() -> None:
    code = "import sys, bedside.station, bedside.headless; print(sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "'bedside.ecg.recursion'" in loaded
    assert "'scipy.signal'" not in loaded
