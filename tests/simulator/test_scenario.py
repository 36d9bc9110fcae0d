"""A scenario file scripts rhythms and faults, and says what is wrong with it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bedside.errors import SettingsError
from bedside.events import Flags
from bedside.simulator.scenario import read_scenario

SCENARIO = """
seed = 3
amplitude_mv = 1.5
clock_ppm = 80
[network]
drop = 0.5
late = 0.1
late_s = 3
[[episode]]
rhythm = "sinus:60"
seconds = 2
[[episode]]
rhythm = "vt:180"
seconds = 2
amplitude = 0.5
fault = "saturation"
[[episode]]
rhythm = "lead-off"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def test_a_scenario_plays_its_episodes_in_order_and_says_that_they_are_synthetic(
    tmp_path: Path,
) -> None:
    scenario = read_scenario(written(tmp_path, SCENARIO))
    source = scenario.source()
    assert source.rate_mhz == 249_980
    assert scenario.network is not None
    assert scenario.network.drop == 0.5
    assert (scenario.network.late, scenario.network.late_s) == (0.1, 3.0)
    pieces = list(islice(source.pieces(), 25))
    assert all(piece.flags & Flags.SYNTHETIC for piece in pieces)
    assert max(piece.samples.max() for piece in pieces[:10]) == pytest.approx(1500, abs=100)
    assert all(piece.flags & Flags.SATURATED for piece in pieces[10:20])
    assert np.ptp(np.concatenate([piece.samples for piece in pieces[10:20]])) == 0
    assert all(piece.flags & Flags.LEAD_OFF_PLUS for piece in pieces[20:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "episode = 3",
        "[[episode]]\nrhythm = 'polka'",
        "[[episode]]\nrhythm = 'vt'\n[[episode]]\nrhythm = 'vf'",
        "[[episode]]\nrhythm = 'vt'\nspeed = 3",
        "[[episode]]\nrhythm = 'vt'\nseconds = -1",
        "[[episode]]\nrhythm = 'vt'\nfault = 'fire'",
        "tempo = 1\n[[episode]]\nrhythm = 'vt'",
        "[network]\ndrop = 2\n[[episode]]\nrhythm = 'vt'",
        "[network]\nlate_s = 0\n[[episode]]\nrhythm = 'vt'",
        "not toml",
    ],
)
def test_a_scenario_without_sense_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_scenario(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_scenario_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name another"):
        read_scenario(tmp_path / "nowhere.toml")
