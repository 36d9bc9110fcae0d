"""The network: a convolutional autoencoder that is told this patient's own template.

It rebuilds a beat as this patient's normal. What it cannot rebuild is the error, in units of this
patient's own spread and of the noise on this beat. Alignment, normalisation and the error are part
of the graph: the exported file says all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bedside.events import WINDOW_SAMPLES

SHIFTS = 8
"""The template may be moved by up to this many samples (±32 ms) to meet the beat."""

LEAST_AMPLITUDE_MV = 0.05
"""Below this a beat's own amplitude says nothing, and noise is not blown up to a heartbeat."""

QRS = slice(55, 115)
"""Where a QRS complex may be in the window."""

LARGEST = 6.0
"""Windows are clipped at this many amplitudes of the patient's normal beat."""

FLOOR = 0.15
ROUGHNESS_WEIGHT = 8.0
"""The constants of the shape error, chosen by cross-validation over the training patients."""

REGIONS = (
    ("P", slice(15, 62), 0.1),
    ("QRS", slice(62, 105), 0.38),
    ("ST-T", slice(105, 190), 0.58),
)
"""Where the distance counts, and how much of the shape error each region is."""


@dataclass(frozen=True)
class NetworkSize:
    """How wide the network is: channels of the three convolutions, and the bottleneck."""

    channels: tuple[int, int, int] = (16, 24, 32)
    latent: int = 16


class Network(nn.Module):
    """Windows (n, 192) and what is known of the patient, to reconstructions and shape errors.

    `template_mv` and `spread_mv` (n, 192) are zero where the patient is not known.
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
        self.steps_channels = c
        outside = torch.ones(WINDOW_SAMPLES - 2, 1)
        outside[QRS] = 0
        weights = torch.zeros(WINDOW_SAMPLES, 1)
        for _, region, weight in REGIONS:
            weights[region] = FLOOR * weight / (region.stop - region.start)
        constants = {
            "second_difference": torch.tensor([[[1.0, -2.0, 1.0]]]),
            "outside_qrs": ROUGHNESS_WEIGHT * outside / outside.sum(),
            "region_weights": weights,
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(
        self, window_mv: Tensor, template_mv: Tensor, spread_mv: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The reconstruction in mV (n, 192) and the shape error (n,), larger for stranger beats."""
        # Each operator costs time of its own at batch 1: the graph is written to have few.
        of_template = template_mv.abs().amax(dim=1, keepdim=True)
        of_window = window_mv.abs().amax(dim=1, keepdim=True)
        amplitude_mv = torch.where(of_template > 0, of_template, of_window)
        amplitude_mv = amplitude_mv.clamp(min=LEAST_AMPLITUDE_MV)
        window = (window_mv / amplitude_mv).clamp(-LARGEST, LARGEST)
        template = align(window, template_mv / amplitude_mv)
        spread = (spread_mv / amplitude_mv).clamp(max=1.0)
        rebuilt = self.rebuild(window, template, spread)
        return rebuilt * amplitude_mv, self.shape_error(window - rebuilt, spread)

    def rebuild(self, window: Tensor, template: Tensor, spread: Tensor) -> Tensor:
        """The beat (n, 192) as this patient's normal, in units of the patient's amplitude."""
        shown = torch.cat((window, template, spread), dim=1).view(-1, 3, WINDOW_SAMPLES)
        code = self.encoder(shown)
        told = self.of_template(template.view(-1, 1, WINDOW_SAMPLES))
        wide = self.widen(torch.cat((code, told), dim=1))
        # Four neighbouring samples are the four channels of one step.
        change = self.decoder(wide.view(-1, self.steps_channels, 12))
        return template + change.transpose(1, 2).reshape(-1, WINDOW_SAMPLES)

    def shape_error(self, apart: Tensor, spread: Tensor) -> Tensor:
        """How far the beat is from what was rebuilt, `apart` (n, 192), in the `REGIONS`.

        The distance counts in the patient's own spread and in the roughness of this beat outside
        the QRS complex: muscle noise is rough there, an ectopic beat is not.
        """
        bend = functional.conv1d(apart.view(-1, 1, WINDOW_SAMPLES), self.second_difference)
        roughness = bend.view(-1, WINDOW_SAMPLES - 2).abs() @ self.outside_qrs
        return ((apart.abs() / (roughness + (spread + FLOOR))) @ self.region_weights).view(-1)


def align(window: Tensor, template: Tensor) -> Tensor:
    """`template` (n, 192), moved by −8…8 samples to where it lies nearest to `window` (n, 192)."""
    shift = torch.arange(2 * SHIFTS + 1).unsqueeze(1) - SHIFTS
    where = (torch.arange(WINDOW_SAMPLES) + shift).clamp(0, WINDOW_SAMPLES - 1)
    distance = (template[:, where] - window.unsqueeze(1)).abs().mean(dim=2)
    return template.gather(1, where[distance.argmin(dim=1)])
