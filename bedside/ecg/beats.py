"""What kind of beat it is: normal, supraventricular, ventricular or undecidable.

A beat is compared with this patient's other beats (`beat_evidence`). The evidence is weighed by a
sum of small decision trees, boosted on training records and on synthetic rhythms made of their
beats; the trees stay as they are, only the evidence adapts to the patient. What they say of
supraventricular beats counts for less while the atria fibrillate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, log1p

import numpy as np

from bedside.ecg.beat_evidence import LONGEST_NEXT_S, QRS, SMALLEST_MV, BeatEvidence
from bedside.ecg.beat_weights import BIAS, BRANCH, DEPTH, FEATURE, ROOTS, VALUE
from bedside.ecg.irregularity import LastMinute
from bedside.events import BeatClass, Float64Array

__all__ = ["LONGEST_NEXT_S", "UNDECIDED", "BeatClassifier", "Verdict", "Votes", "scores"]

FIBRILLATING_LOG_ODDS = log(10.0)
"""In an irregularly irregular minute a supraventricular beat takes odds of more than 10 : 1.

Where the atria fibrillate no beat of theirs can come early. Of 323 beats that trees wrongly call
supraventricular in training patients whom they do not know, 195 lie in such minutes, and none of
the 624 that are; of those in composed rhythms one in eleven is lost (`model/signal_attempts.md`).
"""

_CLASSES = (BeatClass.NORMAL, BeatClass.SUPRAVENTRICULAR, BeatClass.VENTRICULAR)
_HERE = np.arange(len(FEATURE))
_FIBRILLATING = np.array([0.0, FIBRILLATING_LOG_ODDS, 0.0])
_IS_LEAF = FEATURE < 0
_LEFT = np.where(_IS_LEAF, _HERE, _HERE + 1)
_RIGHT = np.where(_IS_LEAF, _HERE, _HERE + BRANCH)
_LOOKED_AT = np.where(_IS_LEAF, 0, FEATURE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A beat's class, and the logarithm of the odds that it is not normal."""

    beat_class: BeatClass
    abnormal_log_odds: float


UNDECIDED = Verdict(BeatClass.UNKNOWN, 0.0)

Votes = Callable[[Float64Array], Float64Array]
"""From evidence (80,) to the log-odds of N, S and V, shape (3,), up to a common constant."""


class BeatClassifier:
    """Classes of AAMI EC57, adapted to this patient; a beat at a time, once the next is known."""

    def __init__(self, votes: Votes | None = None) -> None:
        """Start with no beat known. `votes` weighs the evidence, the shipped trees by default."""
        self._votes = votes or scores
        self.reset()

    def reset(self) -> None:
        """Forget this patient."""
        self._evidence = BeatEvidence()
        self._minute = LastMinute()

    def classify(
        self, window_mv: Float64Array, rr_s: float | None, next_rr_s: float | None
    ) -> Verdict:
        """Judge a beat by its band-passed window of shape (192,) in mV, R peak at index 80.

        `rr_s` is the interval to the beat before (None: not known), `next_rr_s` that to the beat
        after (None: longer than `LONGEST_NEXT_S`). A window without a beat's swing is `UNDECIDED`
        and teaches nothing.
        """
        complex_mv = window_mv[QRS]
        swing_mv = complex_mv.max() - complex_mv.min()
        if swing_mv < SMALLEST_MV or not np.isfinite(window_mv).all():
            self._minute.add(rr_s, BeatClass.UNKNOWN)
            return UNDECIDED
        # Its parts are looked at without a copy.
        whole_mv = np.ascontiguousarray(window_mv)
        return self._judge(self._evidence.weigh(whole_mv, rr_s, next_rr_s), rr_s)

    def _judge(self, evidence: Float64Array, rr_s: float | None) -> Verdict:
        votes = self._votes(evidence)
        self._minute.add(rr_s, _CLASSES[int(votes.argmax())])
        if self._minute.is_irregular:
            votes = votes - _FIBRILLATING
        normal, supraventricular, ventricular = votes.tolist()
        most = max(supraventricular, ventricular)
        either = most + log1p(exp(-abs(supraventricular - ventricular)))
        return Verdict(_CLASSES[int(votes.argmax())], either - normal)


def scores(evidence: Float64Array) -> Float64Array:
    """The log-odds of N, S and V, shape (3,), up to a common constant."""
    # All nodes are asked at once: that costs less than to gather those on the way at each depth.
    child = np.where(evidence[_LOOKED_AT] <= VALUE, _LEFT, _RIGHT)
    node = ROOTS
    for _ in range(DEPTH):
        node = child[node]
    total: Float64Array = VALUE[node].reshape(-1, len(_CLASSES)).sum(axis=0) + BIAS
    return total
