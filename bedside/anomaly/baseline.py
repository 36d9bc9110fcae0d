"""One patient's normal: learned from a few minutes of their own beats, with the threshold on it.

The order is: a `Calibration` collects windows; when its time is over it says what it learned
(`tentative`: template and spreads, no threshold yet) or refuses; the model scores the collected
windows against that; `accept` sets the threshold from these scores and a false-alarm budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.anomaly import budget
from bedside.anomaly.fusion import Fusion
from bedside.anomaly.normal import Normal, alike, learn
from bedside.errors import BedsideError
from bedside.events import (
    WINDOW_SAMPLES,
    BeatClass,
    BeatWindow,
    Score,
)

VERSION = 3
"""Of the JSON object: a threshold is in the units of the error that its version had."""

CALIBRATION_S = 300.0
ALARMS_PER_DAY = 1.0
FEWEST_BEATS_PER_MIN = 24
LEAST_USABLE_FRACTION = 0.7
MOST_ECTOPIC_FRACTION = 0.2
MOST_STRANGE_FRACTION = 0.15
MOST_ALARMED_FRACTION = 0.25

Array = NDArray[np.float32]


class BaselineError(BedsideError):
    """A stored baseline is damaged or old, or belongs to another model, bed or session."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Baseline(Normal):
    """What is normal for the patient of one session in one bed, and from where on a beat is not.

    `created_wall_us` is Unix time in µs, 0 when unknown. `threshold` is NaN until the baseline is
    accepted; then `alarms_per_day` is what it was chosen for, and `recall` the share of ventricular
    beats that it is expected to find.
    """

    bed: str
    session: str
    model_version: str
    created_wall_us: int
    threshold: float = math.nan
    alarms_per_day: float = math.nan
    recall: float = math.nan

    @property
    def promise(self) -> str:
        """In words, what false alarms are expected, and what this budget costs in recall."""
        loose = budget.loosened(self.threshold)
        return (
            f"threshold {self.threshold:.3g}, about {self.alarms_per_day:.3g} false "
            f"{'alarm' if self.alarms_per_day == 1 else 'alarms'} a day expected, "
            f"{self.recall:.0%} of ventricular beats found "
            f"({budget.recall(loose):.0%} with ten times as many)"
        )

    def to_json(self) -> dict[str, Any]:
        """The baseline as a JSON object: arrays become lists of mV, rounded to 0.1 µV."""
        return {
            "version": VERSION,
            "bed": self.bed,
            "session": self.session,
            "model_version": self.model_version,
            "created_wall_us": self.created_wall_us,
            "beats": self.beats,
            "template_mv": _list(self.template_mv),
            "spread_mv": _list(self.spread_mv),
            "prematurity_spread": self.prematurity_spread,
            "shape_error": self.shape_error,
            "threshold": self.threshold,
            "alarms_per_day": self.alarms_per_day,
            "recall": self.recall,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Baseline:
        """The baseline in a JSON object; raises `BaselineError` when it is not one."""
        try:
            if stored["version"] != VERSION:
                raise BaselineError(
                    f"The stored baseline has version {stored['version']}, and this program makes "
                    f"{VERSION}: calibrate the bed again."
                )
            baseline = cls(
                bed=str(stored["bed"]),
                session=str(stored["session"]),
                model_version=str(stored["model_version"]),
                created_wall_us=int(stored["created_wall_us"]),
                beats=int(stored["beats"]),
                template_mv=_array(stored["template_mv"]),
                spread_mv=_array(stored["spread_mv"]),
                prematurity_spread=_positive(stored["prematurity_spread"]),
                shape_error=_positive(stored["shape_error"]),
                threshold=_positive(stored["threshold"]),
                alarms_per_day=_positive(stored["alarms_per_day"]),
                recall=_positive(stored["recall"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BaselineError(
                f"The stored baseline is damaged ({error!r}): calibrate the bed again."
            ) from error
        return baseline

    def require(self, *, bed: str, session: str, model_version: str) -> None:
        """Raise `BaselineError` unless this is the baseline of that bed, session and model."""
        if (self.bed, self.session) != (bed, session):
            raise BaselineError(
                f"The stored baseline belongs to bed {self.bed}, session {self.session}: "
                f"calibrate bed {bed} for this patient."
            )
        if self.model_version != model_version:
            raise BaselineError(
                f"The stored baseline was made with model {self.model_version}, not "
                f"{model_version}: calibrate bed {bed} again."
            )


@dataclass(frozen=True)
class Refusal:
    """Why a calibration did not become a baseline, in one sentence."""

    reason: str


@dataclass(eq=False)
class Calibration:
    """Collects the beats of a calibration that lasts `seconds` from `started_us` on.

    Times are µs on the time of the inputs (`at_us`). It decides nothing before it is `complete`.
    """

    bed: str
    session: str
    started_us: int
    seconds: float = CALIBRATION_S
    _windows: list[BeatWindow] = field(default_factory=list)
    _alarm: str = ""
    _alarmed_us: int = 0

    def add(self, window: BeatWindow) -> None:
        """One more beat."""
        self._windows.append(window)

    def alarmed(self, alarm: str, for_us: int) -> None:
        """A lethal alarm was active meanwhile: a run of ventricular beats is alike in itself."""
        self._alarm = alarm
        self._alarmed_us += for_us

    def complete(self, at_us: int) -> bool:
        """Whether its time is over."""
        return at_us - self.started_us >= self.seconds * 1e6

    @property
    def windows(self) -> tuple[BeatWindow, ...]:
        """The beats that teach, which are also the ones to score: usable, normal and alike."""
        normal = [w for w in self._windows if w.usable and w.beat_class is BeatClass.NORMAL]
        return tuple(alike(normal)) if normal else ()

    def tentative(self, model_version: str, wall_us: int = 0) -> Baseline | Refusal:
        """Template and spreads without a threshold, or why they cannot be learned."""
        if self._alarmed_us > MOST_ALARMED_FRACTION * self.seconds * 1e6:
            return Refusal(
                f"A lethal alarm was active meanwhile ({self._alarm}): calibrate in a stretch of "
                "this patient's usual rhythm."
            )
        fewest = FEWEST_BEATS_PER_MIN * self.seconds / 60.0
        usable = [window for window in self._windows if window.usable]
        if not self._windows or len(usable) < LEAST_USABLE_FRACTION * len(self._windows):
            return Refusal(
                f"Only {len(usable)} of {len(self._windows)} beats had a clean signal: "
                "check the electrodes and calibrate again."
            )
        if len(usable) < fewest:
            return Refusal(
                f"Only {len(usable)} usable beats came in {self.seconds:.0f} s, "
                f"{math.ceil(fewest)} are needed: check the electrodes and calibrate again."
            )
        taught = self.windows
        ectopic = len(usable) - len(taught)
        if ectopic > MOST_ECTOPIC_FRACTION * len(usable):
            return Refusal(
                f"{ectopic} of {len(usable)} beats were ectopic or early: "
                "calibrate in a stretch of this patient's regular rhythm."
            )
        normal = learn(taught)
        return Baseline(
            bed=self.bed,
            session=self.session,
            model_version=model_version,
            created_wall_us=wall_us,
            beats=normal.beats,
            template_mv=normal.template_mv,
            spread_mv=normal.spread_mv,
            prematurity_spread=normal.prematurity_spread,
        )


def accept(
    tentative: Baseline,
    windows: Sequence[BeatWindow],
    scores: Sequence[Score],
    alarms_per_day: float = ALARMS_PER_DAY,
) -> Baseline | Refusal:
    """The baseline with its threshold, from the beats that taught it and their scores, in order.

    `alarms_per_day` is the budget: how many false `abnormal-beats` alarms a day are bearable.
    """
    if len(scores) < 2 or len(scores) != len(windows):
        return Refusal("The model gave no scores for the calibration: calibrate again.")
    usual = replace(tentative, shape_error=float(np.median([s.shape_error for s in scores])))
    fusion = Fusion()
    errors = np.array(
        [
            fusion.error(score.shape_error, window.timing, window.abnormal_log_odds, usual)
            for window, score in zip(windows, scores, strict=True)
        ]
    )
    strangers = int(np.count_nonzero(~budget.fitting(errors)))
    if strangers > MOST_STRANGE_FRACTION * len(errors):
        return Refusal(
            f"{strangers} of {len(errors)} beats did not fit this patient's usual beat: "
            "calibrate in a quiet stretch of regular rhythm."
        )
    level = budget.calibration_level(errors)
    threshold = budget.threshold(level, alarms_per_day)
    return replace(
        usual,
        threshold=threshold,
        alarms_per_day=alarms_per_day,
        recall=budget.recall(threshold),
    )


def _list(values: Array) -> list[float]:
    return [round(float(value), 4) for value in values]


def _array(values: Sequence[float]) -> Array:
    array = np.asarray(values, dtype=np.float32)
    if array.shape != (WINDOW_SAMPLES,) or not np.isfinite(array).all():
        raise ValueError(f"an array of {WINDOW_SAMPLES} finite numbers is needed")
    return array


def _positive(value: float) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{value} is not a positive number")
    return number
