"""Samples that come late are looked through, and never alarm as if they were now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bedside.anomaly.scoring import ModelFacts
from bedside.events import Flags
from bedside.late_review import LateReview
from bedside.limits import Limits
from bedside.recording.record_reader import read_record
from tests.records import BUNDLED, batches

MODEL = ModelFacts("test", 1.0)


def test_an_arrest_in_late_samples_is_found_at_its_own_time() -> None:
    real = read_record(BUNDLED).samples_mv[:2500]
    arrest = np.concatenate((real, np.full(2000, real[-1])))
    review = LateReview("bed-1", MODEL, Limits())
    found = []
    for batch in batches(arrest, flags=Flags.REPLAYED):
        wall_us = 1_700_000_000_000_000 + batch.first_sample * 4000
        found += review.heard(replace(batch, at_us=999_000_000, wall_us=wall_us))
    assert [each.code for each in found] == ["asystole"]
    since_s = (found[0].found_wall_us - 1_700_000_000_000_000) / 1e6
    assert 8.5 <= since_s <= 10.2
    assert found[0].at_us == 999_000_000


def test_a_healthy_stretch_that_comes_late_is_not_mentioned() -> None:
    real = read_record(BUNDLED).samples_mv[20_000:25_000]
    review = LateReview("bed-1", MODEL, Limits())
    late = [review.heard(batch) for batch in batches(real, flags=Flags.REPLAYED)]
    assert not any(late)


def test_each_stretch_is_looked_through_by_itself() -> None:
    arrest = np.concatenate((read_record(BUNDLED).samples_mv[:1500], np.zeros(1500)))
    review = LateReview("bed-1", MODEL, Limits())
    codes = []
    for stretch in range(2):
        first = stretch * 900_000
        for batch in batches(arrest, first_sample=first, first_sequence=first // 50):
            codes += [each.code for each in review.heard(batch)]
    assert codes == ["asystole", "asystole"]


def test_a_node_whose_clock_is_absurd_gets_no_time() -> None:
    arrest = np.concatenate((read_record(BUNDLED).samples_mv[:1500], np.zeros(1500)))
    review = LateReview("bed-1", MODEL, Limits())
    found = [
        each for batch in batches(arrest) for each in review.heard(replace(batch, wall_us=2**62))
    ]
    assert [each.found_wall_us for each in found] == [0]
