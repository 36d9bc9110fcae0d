"""Who asks the network what it makes of the beats: a thread that the rhythm never waits for."""

from __future__ import annotations

from collections.abc import Callable

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.scoring import ModelFacts
from bedside.errors import ModelError
from bedside.events import ScoreRequest, Scores
from bedside.worker import Worker

MOST_TOGETHER = 256
"""Requests that are scored at once: the beats of many beds cost little more than those of one."""


class Scorer:
    """Takes requests of all beds from any thread, once its `worker` runs.

    Without a network it stands there all the same: that there is none is an alarm, and the rhythm
    is watched without it.
    """

    def __init__(
        self,
        autoencoder: Autoencoder | None,
        *,
        speed: float,
        together_s: float,
        now_us: Callable[[], int],
        scored: Callable[[str, Scores], bool],
        well: Callable[[str, bool, str], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Load the shipped network unless one is given.

        `scored` gets what became of a bed's request, `well` hears that the network answers,
        `failed` what went wrong. What comes within `together_s` is scored together.
        """
        self.fault = ""
        """Why there is no network, in one sentence."""
        self.autoencoder = autoencoder or self._loaded()
        self._speed = speed
        self._now_us = now_us
        self._scored = scored
        self._well = well
        self._behind_s = 0.0
        self.worker = Worker[tuple[str, ScoreRequest]](
            "scoring", self._score, capacity=2000, together_s=together_s, failed=failed
        )

    @property
    def facts(self) -> ModelFacts:
        """Which network it is; one without a threshold where there is none."""
        if self.autoencoder is None:
            return ModelFacts("none", float("inf"))
        return ModelFacts(self.autoencoder.version, self.autoencoder.population_threshold)

    def put(self, bed: str, request: ScoreRequest) -> bool:
        """Take a request; False when too much waits."""
        return self.worker.put((bed, request))

    def behind_s(self) -> float:
        """How long the oldest of the last scored requests had waited, while others wait."""
        return self._behind_s if self.worker.waiting else 0.0

    def _loaded(self) -> Autoencoder | None:
        try:
            return Autoencoder.load()
        except ModelError as error:
            self.fault = str(error)
            return None

    def _score(self, first: tuple[str, ScoreRequest]) -> None:
        if self.autoencoder is None:
            raise ModelError(self.fault)
        asked = [first, *self.worker.more(MOST_TOGETHER - 1)]
        found = self.autoencoder.score_all(
            [(request.beats, request.baseline) for _, request in asked]
        )
        now_us = self._now_us()
        oldest_us = min(request.at_us for _, request in asked)
        self._behind_s = (now_us - oldest_us) / self._speed / 1e6
        for (bed, request), scores in zip(asked, found, strict=True):
            self._scored(bed, Scores(now_us, tuple(scores), request.purpose))
        self._well("model", True, "")
