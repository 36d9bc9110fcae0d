"""The error's rule with a part taken out, and other rules that were tried: the good and the bad.

Cross-validation over the training patients said of each whether it is worth keeping, and the test
records whether that holds for other people. Both numbers stand in the model card, so that nobody
needs to try them again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from bedside.anomaly.fusion import (
    EARLY_FACTOR,
    EARLY_WEIGHT,
    ODDS_WEIGHT,
    UNSCORABLE_ERROR,
    Fusion,
    odds_factor,
)
from bedside.anomaly.normal import TYPICAL_SHAPE_ERROR, Normal
from bedside.events import BeatTiming
from training.metrics import beat_table, template_errors
from training.replay import Shaped, fused

FEWEST = 20
REMEMBERED = 100


@dataclass(eq=False, kw_only=True)
class FullUsual(Fusion):
    """A patient's usual shape error counts in full, not by its root."""

    def _usual(self, normal: Normal | None) -> float:
        return super()._usual(normal) ** 2


@dataclass(eq=False, kw_only=True)
class LearnedUsual(Fusion):
    """Without a calibration the usual shape error is the median of the last hundred beats."""

    _last: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED), init=False)

    def error(
        self,
        shape_error: float,
        timing: BeatTiming,
        abnormal_log_odds: float,
        normal: Normal | None,
    ) -> float:
        """As `Fusion`'s."""
        error = super().error(shape_error, timing, abnormal_log_odds, normal)
        self._last.append(shape_error)
        return error

    def _usual(self, normal: Normal | None) -> float:
        if normal is None or normal.shape_error != TYPICAL_SHAPE_ERROR or len(self._last) < FEWEST:
            return super()._usual(normal)
        return math.sqrt(max(median(self._last) / TYPICAL_SHAPE_ERROR, 0.6))


@dataclass(eq=False, kw_only=True)
class RegularOnly(Fusion):
    """An interval below this patient's usual one counts only where normal beats come regularly."""

    regular: float = 0.05
    irregular: float = 0.12

    def _earliness(self, timing: BeatTiming, spread: float) -> float:
        late = sorted(self._early)
        often = late[int(0.6 * (len(late) - 1))] if late else 0.0
        share = 1.0 - (often - self.regular) / (self.irregular - self.regular)
        below = min(max(share, 0.0), 1.0) * timing.below_usual
        return super()._earliness(BeatTiming(timing.prematurity, below), spread)


@dataclass(eq=False, kw_only=True)
class ApartDiscounts(Fusion):
    """How early normal beats come is set against prematurity in full, by half against the rest."""

    def _earliness(self, timing: BeatTiming, spread: float) -> float:
        lone = super()._earliness(BeatTiming(timing.prematurity, 0.0), spread)
        return max(lone, super()._earliness(BeatTiming(0.0, timing.below_usual), 0.5 * spread))


@dataclass(eq=False, kw_only=True)
class OddsAlone(Fusion):
    """What the beat classifier says, without any reconstruction: no score of this project."""

    def error(
        self,
        shape_error: float,
        timing: BeatTiming,
        abnormal_log_odds: float,
        normal: Normal | None,
    ) -> float:
        """The odds, at most `UNSCORABLE_ERROR`."""
        del shape_error, timing, normal
        return min(math.exp(min(abnormal_log_odds, 100.0)), UNSCORABLE_ERROR)


def _untimed(odds_weight: float) -> Fusion:
    return Fusion(early_factor=0.0, early_weight=0.0, odds_weight=odds_weight)


def _unjudged(early_factor: float, early_weight: float) -> Fusion:
    """Nothing that the beat classifier said, not even of which beats tell how noisy it is."""
    return Fusion(
        early_factor=early_factor, early_weight=early_weight, odds_weight=0.0, discount_power=0.0
    )


ATTEMPTS: Mapping[str, Callable[[], Fusion]] = {
    "all of it": Fusion,
    "the reconstruction error alone": partial(_unjudged, 0.0, 0.0),
    "the reconstruction error and the timing": partial(_unjudged, EARLY_FACTOR, EARLY_WEIGHT),
    "the same, earliness weighing most": partial(_unjudged, 18.0, EARLY_WEIGHT),
    "the reconstruction error and the odds": partial(_untimed, ODDS_WEIGHT),
    "the same, the odds weighing double": partial(_untimed, 2.0 * ODDS_WEIGHT),
    "the classifier's odds alone": OddsAlone,
    "the odds weigh double": partial(Fusion, odds_weight=2.0 * ODDS_WEIGHT),
    "the odds weigh half": partial(Fusion, odds_weight=0.5 * ODDS_WEIGHT),
    "without the patient's usual interval": partial(Fusion, below_usual_allowed=1.0),
    "without how early normal beats come": partial(Fusion, early_normals_weight=0.0),
    "without the shapes of the last minutes": partial(Fusion, discount_power=0.0),
    "the last minutes weigh double": partial(Fusion, discount_power=0.8),
    "the shapes of a minute": partial(Fusion, shapes_remembered=60),
    "the shapes of all beats": partial(Fusion, surely_normal_log_odds=math.inf),
    "three quarters of early normal beats": partial(Fusion, early_quantile=0.75),
    "earliness weighs more by itself": partial(Fusion, early_weight=0.15),
    "earliness weighs more in the factor": partial(Fusion, early_factor=18.0),
    "a little faster than usual is early": partial(Fusion, below_usual_allowed=0.03),
    "the usual shape error in full": FullUsual,
    "the usual shape error without a calibration": LearnedUsual,
    "below usual only in a regular rhythm": RegularOnly,
    "below usual discounted by half": ApartDiscounts,
    "several of these, tuned together": partial(
        FullUsual,
        discount_power=0.6,
        early_quantile=0.75,
        early_weight=0.1,
        early_factor=14.0,
        below_usual_allowed=0.03,
    ),
}


def tables(records: Sequence[Shaped]) -> dict[str, dict[str, Any]]:
    """The beat table of each attempt on the same shapes, and of the plain template beside them."""
    made = {}
    for name, rule in ATTEMPTS.items():
        scored = [fused(record, rule()) for record in records]
        made[name] = beat_table(scored, [record.errors for record in scored])
    plain = [template_errors(record) for record in scored]
    odds = [
        np.array([odds_factor(window.abnormal_log_odds) for window in record.given])
        for record in records
    ]
    made["the plain template and the timing"] = beat_table(scored, plain)
    made["the same and the odds"] = beat_table(
        scored, [error * factor for error, factor in zip(plain, odds, strict=True)]
    )
    return {
        name: {key: round(value, 4) for key, value in table.items()} for name, table in made.items()
    }
