"""Fixtures that every room shares."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.mosquitto import Mosquitto

if TYPE_CHECKING:
    from tests.delivery.cloud import Cloud, Phone

PROJECT = Path(__file__).parents[1]

# How long an example takes is the machine's affair, and says nothing of a law.
settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("laws")


def ecg_data_folder() -> Path | None:
    """Where the PhysioNet databases lie: `$BEDSIDE_DATA`, then `../shared/data`, else nowhere."""
    for candidate in (os.environ.get("BEDSIDE_DATA"), PROJECT.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "mitdb").is_dir():
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def ecg_data() -> Path:
    """The folder of PhysioNet databases; skips where there is none."""
    folder = ecg_data_folder()
    if folder is None:
        pytest.skip("needs the PhysioNet databases: set BEDSIDE_DATA to their folder")
    return folder


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running Mosquitto; skips where it is not installed."""
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A running broker that stands for the cloud; skips where there is no Mosquitto."""
    from tests.delivery.cloud import Cloud

    folder = tmp_path / "cloud"
    folder.mkdir()
    cloud = Cloud(folder)
    cloud.broker.start()
    yield cloud
    cloud.broker.kill()


@pytest.fixture
def phone(cloud: Cloud) -> Iterator[Phone]:
    """Hears what reaches the cloud, and speaks back."""
    from tests.delivery.cloud import Phone

    with contextlib.closing(Phone(cloud)) as phone:
        yield phone
