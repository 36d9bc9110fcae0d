"""What a look back shows of a bed: its course, its alarms, its trace, and why a beat stood out.

It reads the archive beside a running station. One thread calls it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Baseline, BaselineError
from bedside.anomaly.fusion import Fusion
from bedside.anomaly.normal import Normal
from bedside.anomaly.provisional import Provisional
from bedside.ecg.chain import ChainBeat, SignalChain
from bedside.ecg.filters import BandPass
from bedside.events import Float32Array
from bedside.feed import LastBeat, View
from bedside.limits import Limits
from bedside.look_back import COURSE_S, MOST_EVENTS
from bedside.recording import bed_file
from bedside.recording.archive import Archive, Stretch
from bedside.recording.archived_event import ArchivedEvent
from bedside.recording.export.piece import pieces
from bedside.recording.strips import pages
from bedside.recording.trend import Trend

LEAD_IN_S = 20.0
"""The detectors have learned this much of the heart before the beat that is explained."""

PROVISIONAL_LEAD_IN_S = 120.0
"""Without a baseline the patient's usual beat is learned from these seconds."""

NEAR_S = 2.0
SAME_BEAT_S = 0.05
"""An R peak that was found again lies this near to where it was found live."""


class Review:
    """Looks back at the beds below a station's data folder."""

    def __init__(self, data_dir: Path, autoencoder: Autoencoder | None = None) -> None:
        """Nothing is read yet; without an autoencoder the installed one is loaded when needed."""
        self._archive = Archive(data_dir)
        self._beds_folder = data_dir / "beds"
        self._autoencoder = autoencoder

    def course(self, bed: str, to_wall_us: int) -> Trend:
        """Heart rate and error of the 72 h before a moment, a value a minute."""
        return self._archive.trend(bed, to_wall_us - round(COURSE_S * 1e6), to_wall_us)

    def events(self, bed: str, to_wall_us: int) -> list[ArchivedEvent]:
        """The last thousand alarms of a bed before a moment, newest first."""
        return self._archive.latest_events(bed, MOST_EVENTS, to_wall_us)[::-1]

    def moment_us(self, event: ArchivedEvent) -> int:
        """When an event began, on the time of the recording.

        The alarm log has the station's time, the recording the node's: the sample joins them.
        """
        ago_us = event.active_wall_us - event.onset_wall_us
        for stretch in self._archive.strip(event):
            span = stretch.span
            known = event.sample is not None and span.first_sample <= event.sample
            if known and event.sample is not None and event.sample <= span.end_sample:
                return span.wall_us(event.sample) - ago_us
        return event.onset_wall_us

    def view(self, bed: str, from_wall_us: int, seconds: float) -> View:
        """The trace from a moment on."""
        count = round(seconds * 250)
        samples = np.full(count, np.nan, dtype=np.float32)
        marks: set[int] = set()
        abnormal: set[int] = set()
        synthetic = False
        lead_in_us = round(3e6)
        to_us = from_wall_us + round(seconds * 1e6)
        for stretch in self._archive.read(bed, from_wall_us - lead_in_us, to_us):
            synthetic |= stretch.span.synthetic
            at_s = np.arange(len(stretch.samples_mv)) / stretch.span.rate_hz
            start_s = (stretch.from_wall_us - from_wall_us) / 1e6
            where = np.rint((at_s + start_s) * 250).astype(np.int64)
            inside = (where >= 0) & (where < count)
            samples[where[inside]] = _band_passed(stretch)[inside]
            for beat in stretch.beats:
                index = round((stretch.span.wall_us(beat.sample) - from_wall_us) / 1e6 * 250)
                if 0 <= index < count:
                    marks.add(index)
                    if beat.abnormal:
                        abnormal.add(index)
        _close_single_holes(samples)
        return View(from_wall_us, samples, tuple(sorted(marks)), tuple(sorted(abnormal)), synthetic)

    def explain(self, bed: str, wall_us: int) -> LastBeat | None:
        """The beat nearest to a moment with its reconstruction, None where there is none near.

        Error and verdict are those of the live score, as they were recorded; the reconstruction is
        made again, from the bed's baseline, which is what the live one was made from, or, before
        it was learned, from the beats of the last two minutes, which are nearly so. A beat that has
        no live score is scored by itself.
        """
        baseline = self._baseline(bed)
        if baseline is not None and baseline.created_wall_us > wall_us:
            baseline = None
        lead_in_s = LEAD_IN_S if baseline is not None else PROVISIONAL_LEAD_IN_S
        from_us, to_us = wall_us - round(lead_in_s * 1e6), wall_us + round(NEAR_S * 1e6)
        near: list[tuple[float, int, int]] = []
        stretches = self._archive.read(bed, from_us, to_us)
        found = [(stretch, beat) for stretch in stretches for beat in _beats(stretch)]
        for number, (stretch, beat) in enumerate(found):
            at_us = stretch.span.wall_us(beat.sample)
            near.append((abs(at_us - wall_us) / 1e6, number, at_us))
        away_s, number, at_us = min(near, default=(math.inf, 0, 0))
        if away_s > NEAR_S:
            return None
        if self._autoencoder is None:
            self._autoencoder = Autoencoder.load()
        stretch, beat = found[number]
        normal: Normal | None = baseline
        if baseline is None:
            provisional = Provisional()
            for _, before in found[:number]:
                provisional.add(before.window)
            normal = provisional.normal
        [score] = self._autoencoder.score([beat.window], normal)
        threshold = (
            self._autoencoder.population_threshold if baseline is None else baseline.threshold
        )
        error = Fusion().error(score.shape_error, beat.timing, beat.abnormal_log_odds, normal)
        abnormal = beat.usable and error > threshold
        reach = round(SAME_BEAT_S * stretch.span.rate_hz)
        for live in stretch.beats:
            if live.error is not None and abs(live.sample - beat.sample) <= reach:
                error, abnormal = live.error, live.abnormal
        return LastBeat(
            at_us,
            error,
            threshold,
            abnormal,
            beat.window_mv,
            score.reconstruction_mv,
            beat.beat_class.value,
        )

    def pages(self, bed: str, from_wall_us: int, to_wall_us: int) -> list[str]:
        """A stretch as SVG pages at true scale, 25 mm/s and 10 mm/mV."""
        return [
            page
            for piece, _ in pieces(self._archive, bed, from_wall_us, to_wall_us)
            for page in pages(piece)
        ]

    def _baseline(self, bed: str) -> Baseline | None:
        kept = bed_file.load(self._beds_folder / f"{bed}.json")
        if kept is None or kept.baseline is None:
            return None
        try:
            return Baseline.from_json(kept.baseline)
        except BaselineError:
            return None


def _band_passed(stretch: Stretch) -> Float32Array:
    """The samples in the monitor's band, each run without a hole for itself, without its delay."""
    samples = stretch.samples_mv
    result = np.full(len(samples), np.nan, dtype=np.float32)
    there = np.flatnonzero(np.isfinite(samples))
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1) if len(there) else ():
        filtered = BandPass().process(samples[run])
        shift = min(BandPass.delay_samples, len(run) - 1)
        result[run[: len(run) - shift]] = filtered[shift:]
    return result


def _beats(stretch: Stretch) -> list[ChainBeat]:
    """The beats of a stretch with their windows; a hole of it begins anew."""
    samples = stretch.samples_mv
    there = np.flatnonzero(np.isfinite(samples))
    found: list[ChainBeat] = []
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1) if len(there) else ():
        chain = SignalChain(Limits())
        chain.restart(0, stretch.first_sample + int(run[0]), stretch.span.rate_hz)
        found += chain.process(samples[run]).beats
    return found


def _close_single_holes(samples: Float32Array) -> None:
    """A source a little slower than 250 Hz leaves single places empty: they are no gaps."""
    hole = np.isnan(samples[1:-1]) & np.isfinite(samples[:-2]) & np.isfinite(samples[2:])
    at = np.flatnonzero(hole) + 1
    samples[at] = (samples[at - 1] + samples[at + 1]) / 2
