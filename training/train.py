"""Training: normal beats in, a network that rebuilds any beat as this patient's normal out.

Many of the normal beats are shown deliberately corrupted, and the target is the beat that they were
made from. The ectopic beats of the training patients are shown as well: what is wanted for them is
their patient's template. Recorded wander is wanted back, recorded muscle noise is not.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.corruption import corrupt, noise_pieces
from training.network import LARGEST, LEAST_AMPLITUDE_MV, Network, NetworkSize, align
from training.patients import Patients


@dataclass(frozen=True)
class Config:
    """One experiment; `training/config.toml` holds the one that made the shipped model."""

    seed: int = 1
    steps: int = 1500
    batch: int = 128
    learning_rate: float = 2e-3
    corrupted: float = 0.4
    ectopic: float = 0.3
    unknown_patient: float = 0.1
    noise: float = 0.3
    channels: tuple[int, int, int] = (16, 24, 32)
    latent: int = 12


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch in patient amplitudes: shown and wanted beats, template, spread, each (n, 192).

    Where `ectopic` (n,) is 1, the template is wanted on top of `wanted`.
    """

    shown: Tensor
    wanted: Tensor
    template: Tensor
    spread: Tensor
    ectopic: Tensor


def read_config(path: Path) -> Config:
    """The experiment described in a TOML file."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    table["channels"] = tuple(table["channels"])
    return Config(**table)


def train(
    patients: Patients,
    wander_mv: NDArray[np.float32],
    muscle_mv: NDArray[np.float32],
    config: Config,
) -> Network:
    """A network trained on `patients` with recorded noise (n,): baseline wander and muscle."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    network = Network(NetworkSize(config.channels, config.latent))
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps, pct_start=0.1
    )
    for _ in range(config.steps):
        drawn = draw(patients, wander_mv, muscle_mv, config, rng)
        with torch.no_grad():
            template = align(drawn.shown, drawn.template)
        rebuilt = network.rebuild(drawn.shown, template, drawn.spread)
        wanted = drawn.wanted + drawn.ectopic.unsqueeze(1) * template
        loss = functional.smooth_l1_loss(rebuilt, wanted, beta=0.05)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def draw(
    patients: Patients,
    wander_mv: NDArray[np.float32],
    muscle_mv: NDArray[np.float32],
    config: Config,
    rng: np.random.Generator,
) -> Drawn:
    """A batch: every lead of every record is as likely as any other."""
    n = config.batch
    leads = rng.integers(patients.leads, size=n)
    rows = patients.normal.draw(leads, rng)
    beats_mv = patients.normal.windows_mv[rows].astype(np.float64)
    ectopic = np.zeros(n)
    kind = rng.random(n)
    for letter, share in (("V", 0.55), ("S", 0.3), ("F", 0.15)):
        pool = patients.ectopic.get(letter)
        if pool is None:
            continue
        which = (kind < share * config.ectopic) & (ectopic == 0)
        kind[~which] -= share * config.ectopic
        having = np.flatnonzero(pool.count)
        leads[which] = rng.choice(having, size=int(which.sum()))
        rows = pool.draw(leads[which], rng)
        beats_mv[which] = pool.windows_mv[rows]
        ectopic[which] = 1
    known = patients.known_first[leads] + (rng.random(n) * patients.known_count[leads]).astype(int)
    template = patients.known.template_mv[known].astype(np.float64)
    spread = patients.known.spread_mv[known].astype(np.float64)
    unknown = (rng.random(n) < config.unknown_patient) & (ectopic == 0)
    template[unknown], spread[unknown] = 0, 0
    amplitude = np.abs(np.where(unknown[:, None], beats_mv, template)).max(axis=1, keepdims=True)
    amplitude = np.maximum(amplitude, LEAST_AMPLITUDE_MV)
    amplitude *= np.where(rng.random((n, 1)) < 0.3, -1, 1)
    beats = beats_mv / amplitude
    normal = ectopic == 0
    beats[normal] *= np.exp(rng.normal(0, 0.06, (int(normal.sum()), 1)))
    shown = beats.copy()
    made = normal & (rng.random(n) < config.corrupted)
    others = patients.normal.windows_mv[rng.integers(len(patients.normal.windows_mv), size=n)]
    others = others / np.maximum(np.abs(others).max(axis=1, keepdims=True), LEAST_AMPLITUDE_MV)
    shown[made] = corrupt(beats[made], others[made].astype(np.float64), rng)
    size = np.abs(amplitude)
    wander = noise_pieces(wander_mv, n, rng) * rng.exponential(config.noise, (n, 1)) / size
    muscle = noise_pieces(muscle_mv, n, rng) * rng.exponential(config.noise, (n, 1)) / size
    noisy = rng.random((n, 1)) < 0.5
    shown = np.clip(shown + noisy * (wander + muscle), -LARGEST, LARGEST)
    wanted = beats * (ectopic == 0)[:, None] + noisy * wander
    return Drawn(
        shown=_tensor(shown),
        wanted=_tensor(wanted),
        template=_tensor(template / amplitude),
        spread=_tensor(np.minimum(spread / size, 1.0)),
        ectopic=_tensor(ectopic),
    )


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
