"""`bedside broker setup`, on a real Mosquitto."""

from __future__ import annotations

import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedside.broker.authority import Authority, expires
from bedside.broker.mosquitto import Site, set_up
from bedside.errors import SettingsError
from tests.broker.client import RefusedError, connected
from tests.broker.site import STATION, password
from tests.mosquitto import Mosquitto


def test_nobody_comes_in_without_a_name_and_its_password(broker: Mosquitto, site: Site) -> None:
    for port, ca_file in ((site.port, site.authority.certificate_file), (site.plain_port, None)):
        for name, secret in (("", ""), ("icu-1", "guess"), ("icu-1", password(site, "icu-2"))):
            with pytest.raises(RefusedError), connected(port, name, secret, ca_file):
                pass
        with connected(port, "icu-1", password(site, "icu-1"), ca_file):
            pass


def test_plain_text_is_for_this_machine_alone(broker: Mosquitto, site: Site) -> None:
    listeners = [
        line.split() for line in site.configuration().splitlines() if line.startswith("listener")
    ]
    assert [line[2:] for line in listeners] == [[], ["127.0.0.1"]]
    with pytest.raises(RefusedError), connected(site.port, "icu-1", password(site, "icu-1"), None):
        pass


def test_the_broker_proves_who_it_is(broker: Mosquitto, site: Site, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    other.make()
    greet(site.port, site.authority)
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(site.port, other)


def greet(port: int, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=authority.certificate_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


ALLOWED = [
    ("icu-1", "bedside/v1/icu-1/ecg", STATION),
    ("icu-1", "bedside/v1/icu-1/meta", STATION),
    ("icu-1", "bedside/v1/icu-1/status", STATION),
    (STATION, "bedside/v1/icu-1/ack", "icu-1"),
    (STATION, "bedside/v1/icu-1/cmd", "icu-1"),
    (STATION, f"bedside/v1/station/{STATION}/state", "nurse"),
    (STATION, f"bedside/v1/station/{STATION}/bed/icu-1/state", "nurse"),
    (STATION, f"bedside/v1/station/{STATION}/bed/icu-1/events", "nurse"),
    (STATION, f"bedside/v1/station/{STATION}/bed/icu-1/wave", "nurse"),
    (STATION, f"bedside/v1/station/{STATION}/bed/icu-1/result/nurse", "nurse"),
    ("nurse", f"bedside/v1/station/{STATION}/bed/icu-1/action/nurse", STATION),
]
FORBIDDEN = [
    ("icu-1", "bedside/v1/icu-2/ecg", STATION),
    ("icu-1", "bedside/v1/icu-2/status", STATION),
    ("icu-1", "bedside/v1/icu-1/ack", "icu-1"),
    ("icu-1", f"bedside/v1/station/{STATION}/state", "nurse"),
    ("icu-1", f"bedside/v1/station/{STATION}/bed/icu-1/action/icu-1", STATION),
    (STATION, "bedside/v1/icu-2/ack", "icu-1"),
    (STATION, "bedside/v1/station/other/state", "nurse"),
    (STATION, f"bedside/v1/station/{STATION}/bed/icu-1/state", "icu-1"),
    (STATION, f"bedside/v1/station/{STATION}/bed/icu-1/result/doctor", "nurse"),
    ("nurse", f"bedside/v1/station/{STATION}/bed/icu-1/action/doctor", STATION),
    ("nurse", f"bedside/v1/station/{STATION}/bed/icu-1/state", "doctor"),
    ("nurse", "bedside/v1/icu-1/ecg", STATION),
    ("nurse", "bedside/v1/nurse/ecg", STATION),
    ("nurse", "bedside/v1/icu-1/cmd", "icu-1"),
]


@pytest.mark.parametrize(("writer", "topic", "reader"), ALLOWED)
def test_what_a_user_may_write_arrives(
    broker: Mosquitto, site: Site, writer: str, topic: str, reader: str
) -> None:
    assert arrives(site, writer, topic, reader)


@pytest.mark.parametrize(("writer", "topic", "reader"), FORBIDDEN)
def test_what_a_user_may_not_write_or_read_does_not_arrive(
    broker: Mosquitto, site: Site, writer: str, topic: str, reader: str
) -> None:
    assert not arrives(site, writer, topic, reader)


def arrives(site: Site, writer: str, topic: str, reader: str) -> bool:
    """Whether a message gets through; one that surely does follows it, so nobody waits in vain."""
    ca_file = site.authority.certificate_file
    with (
        connected(site.port, reader, password(site, reader), ca_file) as reading,
        connected(site.port, writer, password(site, writer), ca_file) as writing,
        connected(site.port, STATION, password(site, STATION), ca_file) as station,
        connected(site.port, "icu-1", password(site, "icu-1"), ca_file) as node,
    ):
        reading.subscribe(topic)
        writing.publish(topic, b"does it arrive?")
        # A message from somebody who may, to somebody who may read it, on a topic of its own.
        if reader == "icu-1":
            last, sender = "bedside/v1/icu-1/cmd", station
        elif reader == STATION:
            last, sender = "bedside/v1/icu-1/meta", node
        else:
            last, sender = f"bedside/v1/station/{STATION}/bed/last/state", station
        reading.subscribe(last)
        sender.publish(last, b"the last")
        heard = reading.until(b"the last")
    return b"does it arrive?" in heard


def test_a_user_who_is_removed_is_refused_after_a_reload(broker: Mosquitto, site: Site) -> None:
    site.users.add("leaving", "screen")
    secret = password(site, "leaving")
    broker.reload()
    ca_file = site.authority.certificate_file
    with connected(site.port, "leaving", secret, ca_file):
        pass
    site.users.remove("leaving")
    broker.reload()
    with pytest.raises(RefusedError), connected(site.port, "leaving", secret, ca_file):
        pass


def test_secrets_are_for_their_owner_alone(site: Site) -> None:
    secret = [
        site.authority.key_file,
        site.key_file,
        site.users.password_file,
        site.users.acl_file,
        site.folder / "users.json",
        *site.users.clients_folder.iterdir(),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    everything = site.users.password_file.read_text() + (site.folder / "users.json").read_text()
    assert password(site, "icu-1") not in everything


def test_setting_up_again_changes_nothing(site: Site) -> None:
    before = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}
    assert set_up(site, STATION) == []
    assert {p: p.read_bytes() for p in site.folder.rglob("*") if p.is_file()} == before


def test_a_certificate_is_renewed_in_its_last_sixty_days_and_for_new_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.make()
    certificate, key = tmp_path / "broker.pem", tmp_path / "broker.key"
    now = datetime.now(UTC)

    def issue(hosts: tuple[str, ...], after: timedelta) -> bool:
        return authority.issue_for_broker(certificate, key, hosts, now + after)

    assert issue(("pi.local",), timedelta(0))
    assert not issue(("pi.local",), timedelta(days=300))
    assert issue(("pi.local",), timedelta(days=340))
    assert expires(certificate) > now + timedelta(days=700)
    assert issue(("pi.local", "10.0.0.2"), timedelta(days=341))


def test_half_an_authority_is_not_replaced(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.make()
    authority.key_file.unlink()
    with pytest.raises(SettingsError, match="backup"):
        authority.make()


@pytest.mark.parametrize("name", ["", "station", "ICU-1", "a/b", "+", "a" * 33, "bed 1"])
def test_a_name_that_would_not_do_as_a_topic_is_refused(tmp_path: Path, name: str) -> None:
    site = Site(("localhost",), tmp_path, tmp_path / "conf")
    with pytest.raises(SettingsError):
        site.users.add(name, "node")


def test_a_screen_does_not_become_a_node_by_the_same_name(site: Site) -> None:
    with pytest.raises(SettingsError, match="screen already"):
        site.users.add("nurse", "node")
