"""Every screen looks as it did when somebody last looked at it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.tui import goldens


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    goldens.frozen_time()
    yield
    monkeypatch.undo()
    time.tzset()


async def test_every_screen_looks_as_it_was_last_looked_at(frozen: None) -> None:
    pictures = await goldens.pictures()
    assert {path.stem for path in goldens.FOLDER.glob("*.txt")} == set(pictures)
    for name, picture in pictures.items():
        # Some fonts draw an empty braille cell, or a box for it.
        assert "\u2800" not in picture
        stored = goldens.file_of(name).read_text(encoding="utf-8")
        assert goldens.as_stored(picture) == stored, (
            f"{name} looks otherwise: look at it, then python -m tests.tui.goldens"
        )
