"""Who may do what: the broker knows the name, the station the role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.broker.mosquitto import Site
from bedside.delivery.log_transport import LogTransport
from bedside.roles import Role
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.station import Station
from bedside.station_client import StationClient
from tests.broker.site import STATION
from tests.mosquitto import Mosquitto

BED = "icu-1"
ROLES = {"nurse": "operate", "doctor": "configure"}


def settings_of(site: Site, user: str, folder: Path) -> Settings:
    return Settings(
        broker=BrokerSettings(
            host="localhost",
            port=site.port,
            username=user,
            password_file=site.users.clients_folder / f"{user}.password",
            ca_file=site.authority.certificate_file,
        ),
        station=StationSettings(name=STATION, data_dir=folder, roles=ROLES),
    )


@pytest.fixture(autouse=True)
def patient_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks the station waits for its answer however slow the machine is."""
    monkeypatch.setattr("bedside.station_client.ANSWER_S", 60.0)


@pytest.fixture
def station(broker: Mosquitto, site: Site, tmp_path: Path) -> Iterator[Station]:
    running = Station(settings_of(site, STATION, tmp_path), LogTransport())
    running.admit(BED)
    running.start()
    yield running
    running.stop()


def answer(site: Site, user: str, action: str, folder: Path, **arguments: str) -> str:
    """Why an action of a user is refused, empty where it is done."""
    with StationClient(settings_of(site, user, folder), "ignored") as client:
        assert BED in client.beds()
        done, reason = client.act(BED, action, arguments)
    assert done == (not reason)
    return reason


def test_a_screen_that_nothing_is_said_of_may_only_look(
    station: Station, site: Site, broker: Mosquitto, tmp_path: Path
) -> None:
    site.users.add("visitor", "screen")
    broker.reload()
    said = answer(site, "visitor", "standby", tmp_path)
    assert said == "visitor may view, this needs the role operate: see station.roles"


def test_an_operator_acts_and_does_not_move_patients(
    station: Station, site: Site, tmp_path: Path
) -> None:
    assert "needs the role configure" in answer(site, "nurse", "discharge", tmp_path)
    assert answer(site, "nurse", "standby", tmp_path) == ""


def test_a_configurator_moves_patients_and_so_does_the_station_itself(
    station: Station, site: Site, tmp_path: Path
) -> None:
    assert answer(site, "doctor", "discharge", tmp_path) == ""
    assert answer(site, STATION, "admit", tmp_path) == ""


def test_on_a_broker_that_asks_nobody_who_they_are_everybody_may_everything() -> None:
    assert Settings().role_of("anybody") is Role.CONFIGURE


def test_what_no_role_is_named_for_needs_the_highest() -> None:
    from bedside.roles import role_needed

    assert role_needed("set-limit") is role_needed("something new") is Role.CONFIGURE
    assert role_needed("want-wave") is Role.VIEW
