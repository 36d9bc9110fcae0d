"""The trees of a fold know nothing of the patients that they are to judge."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra `train`")

from training.beat_fit import Examples, fitted
from training.validate import as_votes


def lessons() -> Examples:
    """Two patients who contradict each other, and a rhythm composed of beats of both."""
    made, rng = Examples(), np.random.default_rng(1)
    for patients, sign in ((("one", ""), 1.0), (("other", ""), -1.0), (("one", "other"), -1.0)):
        for number in range(600):
            value = float(rng.normal())
            made.evidence.append(np.array([value]))
            made.classes.append("V" if sign * value > 0 else "NS"[number % 2])
            made.weight.append(1.0)
            made.position.append(number)
            made.patients.append(patients)
            made.tested.append(True)
    return made


def test_a_patient_left_out_teaches_nothing_not_even_by_beats_lent_to_others() -> None:
    votes = as_votes(fitted(lessons(), without={"other"}))
    assert votes(np.array([1.0])).argmax() == 2
    assert votes(np.array([-1.0])).argmax() != 2


def test_without_anybody_left_out_all_of_them_teach() -> None:
    votes = as_votes(fitted(lessons()))
    assert votes(np.array([-1.0])).argmax() == 2
