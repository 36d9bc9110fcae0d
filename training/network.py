"""The network: a convolutional autoencoder that is told this patient's own template.

It rebuilds a beat as this patient's normal. What it cannot rebuild is the error, in units of this
patient's own spread and of the noise on this beat. Alignment, normalisation and the error are part
of the graph: the exported file says all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bedside.events import WINDOW_SAMPLES

SHIFTS = 8
"""The template may be moved by up to this many samples (±32 ms) to meet the beat."""

LEAST_AMPLITUDE_MV = 0.05
"""Below this a beat's own amplitude says nothing, and noise is not blown up to a heartbeat."""

QRS = slice(55, 115)
"""Where a QRS complex may be in the window."""

LARGEST = 6.0
"""Windows are clipped at this many amplitudes of the patient's normal beat."""

ERROR_TERMS = {
    "floor": 0.15,
    "roughness_weight": 8.0,
    "early_floor": 0.1,
    "early_weight": 0.5,
    "early_factor": 5.0,
}
"""The constants of the error, chosen by cross-validation over the training patients."""


@dataclass(frozen=True)
class NetworkSize:
    """How wide the network is: channels of the three convolutions, and the bottleneck."""

    channels: tuple[int, int, int] = (16, 24, 32)
    latent: int = 16


class Network(nn.Module):
    """Windows (n, 192) and what is known of the patient, to reconstructions and errors.

    `template_mv` and `spread_mv` (n, 192) are zero where the patient is not known. `rhythm`
    (n, 2) is the prematurity and the patient's own spread of it.
    """

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        a, b, c = size.channels
        self.encoder = nn.Sequential(
            nn.Conv1d(3, a, 11, stride=4, padding=5),
            nn.ReLU(),
            nn.Conv1d(a, b, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(b, c, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(c * 12, size.latent),
        )
        self.of_template = nn.Sequential(
            nn.Conv1d(1, 8, 7, stride=4, padding=3),
            nn.ReLU(),
            nn.Conv1d(8, 8, 5, stride=4, padding=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.widen = nn.Sequential(nn.Linear(size.latent + 8 * 12, c * 12), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv1d(c, b, 5, padding=2),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv1d(b, a, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(a, 4, 5, padding=2),
        )
        for name, value in ERROR_TERMS.items():
            self.register_buffer(name, torch.tensor(value))

    def forward(
        self, window_mv: Tensor, template_mv: Tensor, spread_mv: Tensor, rhythm: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The reconstruction in mV (n, 192) and the error (n,), larger for stranger beats."""
        of_window = window_mv.abs().amax(dim=1, keepdim=True)
        of_template = template_mv.abs().amax(dim=1, keepdim=True)
        known = (of_template > 0).to(window_mv.dtype)
        amplitude_mv = known * of_template + (1 - known) * of_window
        amplitude_mv = amplitude_mv.clamp(min=LEAST_AMPLITUDE_MV)
        window = (window_mv / amplitude_mv).clamp(-LARGEST, LARGEST)
        template = align(window, template_mv / amplitude_mv)
        spread = (spread_mv / amplitude_mv).clamp(max=1.0)
        rebuilt = self.rebuild(window, template, spread)
        return rebuilt * amplitude_mv, self.error(window, rebuilt, spread, rhythm)

    def rebuild(self, window: Tensor, template: Tensor, spread: Tensor) -> Tensor:
        """The beat (n, 192) as this patient's normal, in units of the patient's amplitude."""
        code = self.encoder(torch.stack((window, template, spread), dim=1))
        told = self.of_template(template.unsqueeze(1))
        wide = self.widen(torch.cat((code, told), dim=1))
        # Four neighbouring samples are the four channels of one step.
        change = self.decoder(wide.unflatten(1, (-1, 12))).transpose(1, 2).flatten(1)
        return template + change

    def error(self, window: Tensor, rebuilt: Tensor, spread: Tensor, rhythm: Tensor) -> Tensor:
        """How far the beat (n, 192) is from what was rebuilt, and how early it came.

        The distance counts in the patient's own spread and in the roughness of this beat outside
        the QRS complex: muscle noise is rough there, an ectopic beat is not. Being early counts in
        the patient's own spread of it.
        """
        apart = window - rebuilt
        bend = apart[:, 2:] - 2 * apart[:, 1:-1] + apart[:, :-2]
        outside = torch.cat((bend[:, : QRS.start], bend[:, QRS.stop :]), dim=1)
        roughness = outside.abs().mean(dim=1, keepdim=True)
        unit = self.floor + spread + self.roughness_weight * roughness
        shape = self.floor * (apart.abs() / unit).mean(dim=1)
        early = self.early_floor * rhythm[:, 0].clamp(0, 1) / (self.early_floor + rhythm[:, 1])
        return shape * (1 + self.early_factor * early) + self.early_weight * early


def align(window: Tensor, template: Tensor) -> Tensor:
    """`template` (n, 192), moved by −8…8 samples to where it lies nearest to `window` (n, 192)."""
    # One look-up rather than seventeen slices: each operator costs time of its own at batch 1.
    shift = torch.arange(2 * SHIFTS + 1).unsqueeze(1) - SHIFTS
    where = (torch.arange(WINDOW_SAMPLES) + shift).clamp(0, WINDOW_SAMPLES - 1)
    moved = template[:, where]
    distance = (moved - window.unsqueeze(1)).abs().mean(dim=2)
    nearest = (distance <= distance.amin(dim=1, keepdim=True)).to(window.dtype)
    nearest = nearest / nearest.sum(dim=1, keepdim=True)
    return (moved * nearest.unsqueeze(2)).sum(dim=1)
