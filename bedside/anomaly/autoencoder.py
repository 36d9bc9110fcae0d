"""The autoencoder: rebuilds each beat as this patient's normal and says how far it is from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bedside.anomaly.fusion import UNSCORABLE_ERROR
from bedside.anomaly.normal import Normal
from bedside.errors import ModelError
from bedside.events import WINDOW_RATE_HZ, WINDOW_SAMPLES, BeatWindow, Score

SHIPPED = Path(__file__).parents[1] / "_model" / "autoencoder.onnx"
IN_CHECKOUT = Path(__file__).parents[2] / "model" / "autoencoder.onnx"

FORMAT = "bedside-autoencoder-2"
"""What the file's metadata must call itself; it changes when its inputs or outputs do."""

FLAT_MV = 0.01
"""A window with less than this from peak to peak is a flat line."""

Array = NDArray[np.float32]


class Autoencoder:
    """The network in its ONNX file, run by onnxruntime with one thread.

    `version` is a hash of the file; `population_threshold` the threshold for patients without a
    baseline; `training_data` the hash of the beats it was trained on.
    """

    def __init__(self, model: bytes, name: str) -> None:
        """The model in these bytes; `name` is what an error calls it. Raises `ModelError`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self.session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        # onnxruntime raises its own classes, all of them straight from Exception.
        except Exception as error:
            raise ModelError(
                f"The model {name} is damaged or not an ONNX file: install bedside again."
            ) from error
        facts = self.session.get_modelmeta().custom_metadata_map
        try:
            if facts["format"] != FORMAT:
                raise ValueError(facts["format"])
            window_samples = int(facts["window_samples"])
            rate_hz = float(facts["rate_hz"])
            self.population_threshold = float(facts["population_threshold"])
            self.training_data = facts["training_data"]
            if not 0.0 < self.population_threshold < UNSCORABLE_ERROR:
                raise ValueError(facts["population_threshold"])
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"The model {name} is not one of bedside's ({error}): install bedside again."
            ) from error
        if (window_samples, rate_hz) != (WINDOW_SAMPLES, WINDOW_RATE_HZ):
            raise ModelError(
                f"The model {name} was made for {window_samples} samples at {rate_hz:g} Hz, not "
                f"{WINDOW_SAMPLES} at {WINDOW_RATE_HZ:g} Hz: use the one that came with this "
                "version of bedside."
            )
        self.version = hashlib.sha256(model).hexdigest()[:12]

    @classmethod
    def load(cls, path: Path | None = None) -> Autoencoder:
        """The model at `path`, or the one that came with bedside.

        Raises `ModelError` when it is missing, damaged or made for other windows.
        """
        if path is None:
            path = SHIPPED if SHIPPED.exists() else IN_CHECKOUT
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"The model {path} cannot be read: install bedside again or name another file."
            ) from error
        return cls(model, str(path))

    def score(self, beats: Sequence[BeatWindow], normal: Normal | None) -> list[Score]:
        """One score a beat, in order, measured against what is `normal` for the patient.

        A `Baseline` is a `Normal`; None is a patient of whom nothing is known.

        A window that is flat or holds NaN gets `UNSCORABLE_ERROR` and a flat reconstruction: it is
        never normal, and never a number that arithmetic cannot bear.
        """
        return self.score_all([(beats, normal)])[0]

    def score_all(
        self, asked: Sequence[tuple[Sequence[BeatWindow], Normal | None]]
    ) -> list[list[Score]]:
        """The scores of the beats of several patients, in one run of the network."""
        whose = [normal for beats, normal in asked for _ in beats]
        windows = [beat.window_mv for beats, _ in asked for beat in beats]
        if not windows:
            return [[] for _ in asked]
        windows_mv = np.stack(windows).astype(np.float32)
        windows_mv[~np.isfinite(windows_mv).all(axis=1)] = 0.0
        scorable = np.ptp(windows_mv, axis=1) >= FLAT_MV
        rebuilt_mv, errors = self._run(windows_mv, whose)
        errors = np.nan_to_num(errors, nan=UNSCORABLE_ERROR, posinf=UNSCORABLE_ERROR)
        errors = np.where(scorable, np.minimum(errors, UNSCORABLE_ERROR), UNSCORABLE_ERROR)
        rebuilt_mv[~(scorable & np.isfinite(rebuilt_mv).all(axis=1))] = 0.0
        found = zip(errors.tolist(), rebuilt_mv, strict=True)
        return [[Score(beat.sample, *next(found)) for beat in beats] for beats, _ in asked]

    def _run(self, windows_mv: Array, whose: Sequence[Normal | None]) -> tuple[Array, Array]:
        template_mv = np.zeros_like(windows_mv)
        spread_mv = np.zeros_like(windows_mv)
        for row, normal in enumerate(whose):
            if normal is not None:
                template_mv[row] = normal.template_mv
                spread_mv[row] = normal.spread_mv
        rebuilt_mv, errors = self.session.run(
            ["reconstruction_mv", "shape_error"],
            {"window_mv": windows_mv, "template_mv": template_mv, "spread_mv": spread_mv},
        )
        return np.array(rebuilt_mv), np.array(errors)
