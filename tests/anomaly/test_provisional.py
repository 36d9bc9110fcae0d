"""What is known of a patient before a calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bedside.anomaly.provisional import FEWEST_BEATS, REMEMBERED_BEATS, Provisional
from bedside.events import BeatClass, BeatWindow

MakeBeats = Callable[..., list[BeatWindow]]


def test_nothing_is_known_before_twenty_normal_beats(make_beats: MakeBeats) -> None:
    provisional = Provisional()
    for beat in make_beats(FEWEST_BEATS - 1):
        provisional.add(beat)
    assert provisional.normal is None
    provisional.add(make_beats(1)[0])
    assert provisional.normal is not None


@pytest.mark.parametrize("unfit", [{"usable": False}, {"beat_class": BeatClass.VENTRICULAR}])
def test_unfit_beats_teach_nothing(unfit: dict[str, object], make_beats: MakeBeats) -> None:
    provisional = Provisional()
    for beat in make_beats(100, **unfit):
        provisional.add(beat)
    assert provisional.normal is None


def test_it_follows_the_patient(make_beats: MakeBeats) -> None:
    provisional = Provisional()
    small, large = make_beats(1, height_mv=0.5, noise_mv=0), make_beats(1, noise_mv=0)
    for beat in small * REMEMBERED_BEATS + large * REMEMBERED_BEATS:
        provisional.add(replace(beat, sample=0))
    assert provisional.normal is not None
    assert np.abs(provisional.normal.template_mv - large[0].window_mv).max() < 0.01
