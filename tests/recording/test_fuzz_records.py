"""The short form of the program that damages recordings."""

from __future__ import annotations

from tests.recording.fuzz_records import fuzz


def test_no_damage_to_the_files_of_a_recording_is_a_crash() -> None:
    assert fuzz(seconds=8.0, seed=7) > 10
