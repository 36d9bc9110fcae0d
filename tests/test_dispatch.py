"""The two threads of delivery: what fails is told in time, whatever the transport does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.delivery.alert import Alert
from bedside.delivery.delivery import DeliveryStep
from bedside.delivery.transport import LinkNews, Transport
from bedside.dispatch import Dispatch
from bedside.errors import DeliveryError
from bedside.events import Priority
from bedside.settings import AlertSettings
from tests.delivery.wire import Wire, an_alert

PATIENCE_S = 60.0
OVERDUE_S = 0.2


class Office:
    """Remembers what it hears and lets a test wait for it."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool, str]] = []
        self._heard_of: dict[str, int] = {}
        self._news = threading.Condition()

    def stepped(self, step: DeliveryStep) -> None:
        pass

    def health(self, subject: str, ok: bool, detail: str, since_s: float | None = None) -> None:
        with self._news:
            self.said.append((subject, ok, detail))
            self._news.notify_all()

    def acknowledged(self, alert: Alert, by: str) -> None:
        pass

    def wait_for(self, subject: str, ok: bool, words: str = "") -> None:
        """Until the subject is said to fare so, in these words, after what was waited for last."""

        def found() -> int | None:
            since = self._heard_of.get(subject, 0)
            for number, said in enumerate(self.said[since:], since):
                if said[:2] == (subject, ok) and words in said[2]:
                    return number
            return None

        with self._news:
            assert self._news.wait_for(lambda: found() is not None, PATIENCE_S), self.said
            self._heard_of[subject] = (found() or 0) + 1


class Link(Wire):
    """A transport that a test cuts, or that hangs until it lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.go_on.set()

    def start(self, heard: Any) -> None:
        self.heard = heard

    def send(self, alert: Alert) -> None:
        assert self.go_on.wait(PATIENCE_S)
        super().send(alert)

    def close(self) -> None:
        pass


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def office() -> Office:
    return Office()


@contextlib.contextmanager
def running(path: Path, link: Transport, office: Office) -> Iterator[Dispatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bedside.dispatch.WATCH_EVERY_S", 0.02)
        dispatch = Dispatch(path / "outbox.sqlite", link, AlertSettings(), office, OVERDUE_S)
    dispatch.start()
    try:
        yield dispatch
    finally:
        dispatch.stop()


def test_an_overdue_alert_is_told_with_its_reason_and_again_when_it_has_left(
    tmp_path: Path, link: Link, office: Office
) -> None:
    link.up = False
    with running(tmp_path, link, office) as dispatch:
        office.wait_for("delivery", True)
        dispatch.put(an_alert("a"))
        office.wait_for("delivery", False, "the link is down")
        assert ("high-delivery", False, "the link is down") not in office.said
        link.up = True
        link.heard(LinkNews(True))
        office.wait_for("delivery", True)


def test_a_high_alert_among_those_that_wait_makes_it_graver(
    tmp_path: Path, link: Link, office: Office
) -> None:
    link.up = False
    with running(tmp_path, link, office) as dispatch:
        dispatch.put(an_alert("a"))
        office.wait_for("delivery", False)
        dispatch.put(an_alert("b", Priority.HIGH))
        office.wait_for("high-delivery", False)
        link.up = True
        link.heard(LinkNews(True))
        office.wait_for("high-delivery", True)


def test_it_is_told_although_the_transport_hangs(
    tmp_path: Path, link: Link, office: Office
) -> None:
    link.go_on.clear()
    with running(tmp_path, link, office) as dispatch:
        dispatch.put(an_alert("a", Priority.HIGH))
        office.wait_for("high-delivery", False)
        link.go_on.set()
        office.wait_for("high-delivery", True)


def test_a_damaged_outbox_is_told_for_as_long_as_it_lies_there(
    tmp_path: Path, link: Link, office: Office
) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"no database" * 1000)
    with running(tmp_path, link, office):
        office.wait_for("outbox", False, "outbox.sqlite.damaged-1")
        (tmp_path / "outbox.sqlite.damaged-1").unlink()
        office.wait_for("outbox", True)


def test_a_fault_inside_is_told(tmp_path: Path, link: Link, office: Office) -> None:
    def fails(alert: Alert) -> None:
        link.send = Link.send.__get__(link)  # type: ignore[method-assign]
        raise ZeroDivisionError

    link.send = fails  # type: ignore[method-assign]
    with running(tmp_path, link, office) as dispatch:
        dispatch.put(an_alert("a"))
        office.wait_for("delivery", False, "see the log")
        assert dispatch.failures == 1


def test_a_second_station_on_the_same_outbox_is_refused(
    tmp_path: Path, link: Link, office: Office
) -> None:
    with (
        running(tmp_path, link, office),
        pytest.raises(DeliveryError, match="in use by another station"),
        running(tmp_path, Link(), office),
    ):
        pass
