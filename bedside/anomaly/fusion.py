"""How strange a beat is: how far its shape is from the reconstruction, and what else speaks for it.

The reconstruction error carries the score. An early beat makes it weigh more, and so do the odds
that the beat classifier gives against a normal beat: a supraventricular beat has a normal shape,
and noise has a strange one. Three things are set against the patient: how early beats of normal
shape come (in atrial fibrillation an early one is no surprise), how far the shapes of the
calibration lay from their reconstructions, and how far those of the last minutes' surely normal
beats do (a noisy or changed signal). The constants were chosen by cross-validation over the
training patients, each judged by a network and a classifier that never saw them. What each part is
worth stands in the model card.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from bedside.anomaly.normal import TYPICAL_SHAPE_ERROR, Normal
from bedside.events import BeatTiming

UNSCORABLE_ERROR = 1000.0
"""The error of a window that holds no beat: flat, or with NaN. Far above any threshold, finite."""

UNKNOWN_PREMATURITY_SPREAD = 0.05
"""How a rhythm varies of which nothing is known."""

BELOW_USUAL_ALLOWED = 0.1
"""A heart that beats this much faster than usual is not early yet."""

EARLY_FLOOR = 0.1
EARLY_FACTOR = 10.0
EARLY_WEIGHT = 0.06

STEADIEST = 0.8
"""No patient's shapes are taken to be steadier than this much of the typical."""

ODDS_WEIGHT = 0.15
"""The classifier's odds count by this power of them: from 0.41 to 2.5 times the error."""

INDIFFERENT_LOG_ODDS = -2.0
"""A beat with these odds of not being normal keeps the error of its shape and timing."""

SUREST_NORMAL = -8.0
SUREST_ABNORMAL = 4.0
"""More certain than this the classifier is never taken to be."""

RECENT_BEATS = 60
FEWEST_RECENT = 6
NORMAL_SHAPE_ERROR = 0.06
"""Beats below this tell how early normal beats come in the present rhythm."""

EARLY_QUANTILE = 0.85
EARLY_NORMALS_WEIGHT = 2.0
SURELY_NORMAL_LOG_ODDS = -3.0
SHAPES_REMEMBERED = 200
"""How far the shapes of this many beats lay that the classifier surely holds normal."""

SHAPES_QUANTILE = 0.8
NOISY_SHAPE_ERROR = 0.025
"""From here on those shapes are held to be unlike the calibration's."""

DISCOUNT_POWER = 0.4
MOST_DISCOUNT = 2.0
"""They may halve an error, and no more: a change that stays must stay visible."""


@dataclass(eq=False, kw_only=True)
class Fusion:
    """The errors of one bed's beats, one after the other; it remembers how the last ones were.

    The weights are fields so that what each part is worth can be measured.
    """

    early_factor: float = EARLY_FACTOR
    early_weight: float = EARLY_WEIGHT
    below_usual_allowed: float = BELOW_USUAL_ALLOWED
    early_normals_weight: float = EARLY_NORMALS_WEIGHT
    early_quantile: float = EARLY_QUANTILE
    odds_weight: float = ODDS_WEIGHT
    recent_beats: int = RECENT_BEATS
    discount_power: float = DISCOUNT_POWER
    shapes_remembered: int = SHAPES_REMEMBERED
    surely_normal_log_odds: float = SURELY_NORMAL_LOG_ODDS
    _shapes: deque[float] = field(init=False)
    _early: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self._shapes = deque(maxlen=self.shapes_remembered)
        self._early = deque(maxlen=self.recent_beats)

    def error(
        self,
        shape_error: float,
        timing: BeatTiming,
        abnormal_log_odds: float,
        normal: Normal | None,
    ) -> float:
        """The error of the next beat, at most `UNSCORABLE_ERROR`, which is also that of no shape.

        `abnormal_log_odds` is the beat classifier's, `normal` what the beat's shape was measured
        against.
        """
        if not shape_error < UNSCORABLE_ERROR:
            return UNSCORABLE_ERROR
        shape = shape_error / self._discount() / self._usual(normal)
        early_normals = self.early_normals_weight * _level(self._early, self.early_quantile)
        spread = UNKNOWN_PREMATURITY_SPREAD if normal is None else normal.prematurity_spread
        if abnormal_log_odds < self.surely_normal_log_odds:
            self._shapes.append(shape_error)
        if shape_error < NORMAL_SHAPE_ERROR:
            self._early.append(max(timing.prematurity, 0.0))
        early = self._earliness(timing, spread + early_normals)
        error = shape * (1.0 + self.early_factor * early) + self.early_weight * early
        return min(error * odds_factor(abnormal_log_odds, self.odds_weight), UNSCORABLE_ERROR)

    def _earliness(self, timing: BeatTiming, spread: float) -> float:
        """How early a beat came, 0 to 1; `spread` is how much that varies in this rhythm."""
        early = max(timing.prematurity, timing.below_usual - self.below_usual_allowed)
        return EARLY_FLOOR * min(max(early, 0.0), 1.0) / (EARLY_FLOOR + spread)

    def _usual(self, normal: Normal | None) -> float:
        """How far the shapes of this patient's usual beats lie from their reconstructions."""
        if normal is None:
            return 1.0
        return math.sqrt(max(normal.shape_error / TYPICAL_SHAPE_ERROR, STEADIEST))

    def _discount(self) -> float:
        """How much less a strange shape says, where surely normal beats have strange ones."""
        above = max(_level(self._shapes, SHAPES_QUANTILE) / NOISY_SHAPE_ERROR, 1.0)
        return min(math.pow(above, self.discount_power), MOST_DISCOUNT)


def odds_factor(abnormal_log_odds: float, weight: float = ODDS_WEIGHT) -> float:
    """How many times its error a beat of these odds has."""
    sure = min(max(abnormal_log_odds, SUREST_NORMAL), SUREST_ABNORMAL)
    return math.exp(weight * (sure - INDIFFERENT_LOG_ODDS))


def _level(recent: deque[float], quantile: float) -> float:
    """The quantile of the remembered values, 0 while they are too few."""
    if len(recent) < FEWEST_RECENT:
        return 0.0
    return sorted(recent)[int(quantile * (len(recent) - 1))]
