"""From samples to beats and findings: the streaming parts of this room, joined in their order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bedside.ecg.beats import LONGEST_NEXT_S, UNDECIDED, BeatClassifier
from bedside.ecg.filters import BandPass
from bedside.ecg.mains import MainsNotch
from bedside.ecg.quality import QualitySecond, SignalQuality
from bedside.ecg.resampling import Resampler
from bedside.ecg.rhythm import Finding, Rhythm
from bedside.ecg.rpeaks import DECISION_DELAY_SAMPLES, RPeakDetector
from bedside.ecg.timing import RRHistory
from bedside.events import (
    WINDOW_BEFORE_SAMPLES,
    WINDOW_RATE_HZ,
    WINDOW_SAMPLES,
    BeatClass,
    BeatTiming,
    BeatWindow,
    Float32Array,
    Float64Array,
)
from bedside.limits import Limits

RATE_TOLERANCE = 0.005
"""A source within this of 250 Hz is not resampled; its RR intervals are corrected instead."""

USABLE_QUALITY = 0.5
"""From this signal quality on, a beat may be judged by its shape."""

_WINDOW_AFTER = WINDOW_SAMPLES - WINDOW_BEFORE_SAMPLES + BandPass.delay_samples
_LONGEST_NEXT = round(LONGEST_NEXT_S * WINDOW_RATE_HZ)
_LONGEST_WAIT = _LONGEST_NEXT + DECISION_DELAY_SAMPLES
"""A beat waits for the one after it, as long as this."""

_KEPT = 4 * WINDOW_SAMPLES
_KEPT_SECONDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class ChainBeat:
    """A beat with its window, shape (192,), band-passed mV."""

    position: int
    sample: int
    rr_s: float | None
    beat_class: BeatClass
    quality: float
    window_mv: Float32Array
    timing: BeatTiming
    usable: bool
    heart_rate_bpm: float | None
    abnormal_log_odds: float

    @property
    def window(self) -> BeatWindow:
        """The beat as the autoencoder sees it."""
        return BeatWindow(
            self.sample,
            self.window_mv,
            self.timing,
            self.beat_class,
            self.usable,
            self.abnormal_log_odds,
        )


@dataclass(slots=True, eq=False)
class ChainOutput:
    """What a piece of signal brought. `filtered_mv` begins at `position` of the 250 Hz count."""

    position: int
    filtered_mv: Float64Array
    beats: list[ChainBeat] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)


class SignalChain:
    """Resampler, filter, detector, quality, classes and rhythm of one bed.

    A *stretch* is signal without a hole: `restart` begins one. The rhythm's present conditions
    survive a restart, what the detectors learned about the waveform does not.
    """

    def __init__(self, limits: Limits) -> None:
        """Begin at position 0 with nothing heard."""
        self.rhythm = Rhythm(limits)
        self._notch = MainsNotch()
        self._filter = BandPass()
        self._detector = RPeakDetector()
        self._quality = SignalQuality()
        self._classifier = BeatClassifier()
        self.position = 0
        self.restart(0, 0, WINDOW_RATE_HZ)

    def restart(self, position: int, first_sample: int, rate_hz: float) -> None:
        """A new stretch begins: `first_sample` of the source comes next, drawn at `position`.

        Raises ValueError for a rate outside 100 to 1000 Hz.
        """
        resampled = abs(rate_hz / WINDOW_RATE_HZ - 1.0) > RATE_TOLERANCE
        self._resampler = Resampler(rate_hz) if resampled else None
        self.rate_hz = WINDOW_RATE_HZ if resampled else rate_hz
        self._notch.reset()
        self._filter.reset()
        self._detector.reset()
        self._quality.reset()
        self._classifier.reset()
        self.rhythm.reset(position)
        self._seconds: list[QualitySecond] = []
        self.position = position
        self._start = position
        self._first_sample = first_sample
        self._recent: Float64Array = np.empty(0)
        self._waiting: list[int] = []
        self._last_peak: int | None = None
        self._intervals = RRHistory()

    @property
    def quality(self) -> QualitySecond | None:
        """The verdict on the last whole second of this stretch, None before the first."""
        return self._seconds[-1] if self._seconds else None

    def source_sample(self, position: int) -> int:
        """The source's sample index at a position of this stretch."""
        k = position - self._start
        return self._first_sample + (
            k if self._resampler is None else round(self._resampler.source_index(k))
        )

    def process(self, samples_mv: Float64Array) -> ChainOutput:
        """Take the stretch's next samples, shape (n,), in mV at the source's rate."""
        if self._resampler is not None:
            samples_mv = self._resampler.process(samples_mv)
        filtered = self._filter.process(self._notch.process(samples_mv))
        output = ChainOutput(self.position, filtered)
        self.position += len(samples_mv)
        self._recent = np.concatenate((self._recent, filtered))[-_KEPT - len(filtered) :]
        self._seconds = self._seconds[-_KEPT_SECONDS:] + self._quality.process(samples_mv)
        self.rhythm.signal(samples_mv)
        for peak in self._detector.process(samples_mv):
            self.rhythm.peak(self._start + peak.position)
            self._waiting.append(self._start + peak.position)
            output.peaks.append(self._start + peak.position)
        while self._waiting and self._is_due():
            output.beats.append(self._beat(self._waiting.pop(0)))
        output.findings = self.rhythm.advance(self.position)
        return output

    def flush(self) -> list[ChainBeat]:
        """The beats that still waited; not usable where the stretch's end cut off the window."""
        beats = []
        while self._waiting:
            beats.append(self._beat(self._waiting.pop(0)))
        return beats

    def _is_due(self) -> bool:
        """Whether the first beat that waits has all of its window and its next beat."""
        waited = self.position - self._waiting[0]
        followed = len(self._waiting) > 1 or waited >= _LONGEST_WAIT
        return followed and waited >= _WINDOW_AFTER

    def _beat(self, position: int) -> ChainBeat:
        window, whole = self._window(position)
        rr_s = None
        if self._last_peak is not None:
            rr_s = (position - self._last_peak) / self.rate_hz
        self._last_peak = position
        timing = BeatTiming() if rr_s is None else self._intervals.add(rr_s)
        quality = self._quality_at(position + _WINDOW_AFTER)
        next_rr_s = None
        if self._waiting and self._waiting[0] - position <= _LONGEST_NEXT:
            next_rr_s = (self._waiting[0] - position) / self.rate_hz
        verdict = UNDECIDED
        if whole:
            verdict = self._classifier.classify(window, rr_s, next_rr_s)
        beat_class = verdict.beat_class
        usable = whole and quality >= USABLE_QUALITY
        self.rhythm.beat(position, beat_class if usable else BeatClass.UNKNOWN)
        return ChainBeat(
            position,
            self.source_sample(position),
            rr_s,
            beat_class,
            quality,
            window.astype(np.float32),
            timing,
            usable,
            self.rhythm.heart_rate_bpm,
            verdict.abnormal_log_odds,
        )

    def _quality_at(self, position: int) -> float:
        """The index of the last whole second before a position."""
        if not self._seconds:
            return 1.0
        behind = position - self._start - self._seconds[0].position
        number = behind // round(WINDOW_RATE_HZ) - 1
        return 1.0 if number < 0 else self._seconds[min(number, len(self._seconds) - 1)].index

    def _window(self, position: int) -> tuple[Float64Array, bool]:
        """The window of a beat and whether all of it was heard; else its edges are repeated."""
        oldest = self.position - len(self._recent)
        first = position - WINDOW_BEFORE_SAMPLES + BandPass.delay_samples - oldest
        if first >= 0 and first + WINDOW_SAMPLES <= len(self._recent):
            return self._recent[first : first + WINDOW_SAMPLES].copy(), True
        where = np.arange(first, first + WINDOW_SAMPLES)
        return self._recent[np.clip(where, 0, len(self._recent) - 1)], False
