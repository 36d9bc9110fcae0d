"""The broker of a ward, running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.broker.mosquitto import Site
from tests.broker.site import made_site
from tests.mosquitto import Mosquitto


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return made_site(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="session")
def broker(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """As Debian starts it: its own main file, which includes ours."""
    folder = tmp_path_factory.mktemp("mosquitto")
    running = Mosquitto(
        folder,
        f"persistence true\npersistence_location {folder}/\ninclude_dir {site.included.parent}\n"
        f"user {Path(folder).owner()}\n",
    )
    running.start()
    yield running
    running.kill()
