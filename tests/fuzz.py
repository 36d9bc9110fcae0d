"""Hostile input: `python -m tests.fuzz [TARGET …] --seconds 600` feeds each target what is wrong.

`wire`, `ack`, `config`, `record` (one that `analyze` reads) and `recording` damage valid bytes,
texts and files at random and give them to whoever reads them: what comes out is the right thing or
the program's own sentence, never another exception. `topics` publishes at a real broker with the
rights that `bedside broker setup` gives: a node and a screen say everything on every topic;
`operator` says it as an operator's actions alone. The station has to live, to answer its operator,
to grow by nothing, and hears of another node's topics nothing. A stranger is never let in.

The seed of a round that fails is printed; `--seed` starts there. What a run of 10 minutes or more
came to stands in `fuzz.json` beside this file. A machine that is too slow for it in the given time
gets a dozen rounds all the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import resource
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bedside import settings as settings_file
from bedside.broker_address import Address
from bedside.errors import RecordError, SettingsError
from bedside.events import Batch, Flags
from bedside.node import wire
from bedside.node.link import Link
from bedside.node.stream import Stream
from bedside.recording.record_reader import read_record
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.simulator.batcher import Cut
from bedside.simulator.scenario import read_scenario
from bedside.simulator.uplink import Uplink
from bedside.station_client import StationClient
from tests.broker.client import RefusedError, connected
from tests.broker.site import STATION, made_site, password
from tests.conftest import PROJECT
from tests.faults.station_process import StationProcess
from tests.mosquitto import Mosquitto
from tests.recording.fuzz_records import LEAST_ROUNDS
from tests.recording.fuzz_records import fuzz as fuzz_recordings
from tests.records import BUNDLED

MOST_GROWTH_MB = 10.0
RESULTS = Path(__file__).with_suffix(".json")
KEPT_FROM_S = 600.0
"""A shorter run is no result."""


@dataclass(frozen=True)
class Fed:
    """What a target has taken without a crash: how many inputs in how many seconds, the growth of
    the process meanwhile, and how many strangers were turned away."""

    seconds: float
    inputs: int
    grown_mb: float
    strangers: int = 0


def mangled(chance: random.Random, content: bytes) -> bytes:
    """Bytes that differ a little, or wholly."""
    changed = bytearray(content)
    for _ in range(chance.choice((0, 1, 1, 2, 8))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0 if changed:
                changed[at - 1] = chance.randrange(256)
            case 1:
                changed[at:at] = chance.randbytes(chance.randrange(1, 40))
            case 2:
                del changed[at : at + chance.randrange(1, 40)]
            case 3:
                changed[at : at + 4] = chance.choice((b"\0" * 4, b"\xff" * 4, b"\0\0\0\x80"))
            case 4:
                changed = changed[:at]
            case _:
                changed += changed[at:]
    return bytes(changed)


# ── rounds: one wrong thing each ──────────────────────────────────────────────────────────────


class WireRounds:
    """Batches as a node sends them; half of what was changed gets a checksum that holds."""

    def __init__(self, folder: Path) -> None:
        self._stream = Stream("icu-1", {})

    def round(self, chance: random.Random) -> None:
        batch = Batch(
            node="icu-1",
            flags=Flags(chance.randrange(256)),
            boot_id=chance.choice((1, 2, chance.getrandbits(32))),
            sequence=chance.choice((chance.randrange(1000), chance.getrandbits(32))),
            first_sample=chance.choice((chance.randrange(100_000), chance.getrandbits(64))),
            wall_us=chance.choice((0, chance.getrandbits(62))),
            rate_mhz=chance.choice((250_000, 125_000, 1_000_000)),
            nv_per_lsb=chance.choice((1, 1000, chance.getrandbits(32) | 1)),
            dropped=chance.getrandbits(32),
            lowest_held=0,
            samples=np.array([chance.randrange(-32768, 32768) for _ in range(50)], np.int16),
        )
        payload = mangled(chance, wire.encode_batch(batch))
        if chance.random() < 0.5 and len(payload) > 4:
            payload = payload[:-4] + zlib.crc32(payload[:-4]).to_bytes(4, "little")
        try:
            heard = wire.decode_batch(payload, "icu-1", 0)
        except wire.WireError:
            return
        self._stream.accept(heard)
        self._stream.acknowledgement()
        if chance.random() < 0.001:
            self._stream = Stream("icu-1", {})


class AckRounds:
    """Acknowledgements as a station sends them, for a node that has a store."""

    def __init__(self, folder: Path) -> None:
        self._uplink = self._fresh()

    @staticmethod
    def _fresh() -> Uplink:
        uplink = Uplink("icu-1", 7, 250_000, 1000, store_batches=60)
        for number in range(60):
            uplink.keep(Cut(50 * number, np.zeros(50, np.int16), Flags(0)), 0, number / 5)
        uplink.outgoing(12.0)
        return uplink

    def round(self, chance: random.Random) -> None:
        missing = sorted(chance.sample(range(80), 2 * chance.randrange(5)))
        pairs = tuple(zip(missing[::2], missing[1::2], strict=True))
        ack = wire.Ack(chance.choice((7, 8)), chance.choice((max(missing, default=0), 59)), pairs)
        payload = mangled(chance, wire.encode_ack(ack))
        try:
            told = wire.decode_ack(payload)
        except wire.WireError:
            return
        self._uplink.acknowledged(told)
        self._uplink.outgoing(chance.random() * 1000)
        assert self._uplink.backlog_batches <= 60
        if not self._uplink.backlog_batches:
            self._uplink = self._fresh()


class ConfigRounds:
    """The README's configuration and a scenario, with wrong words, numbers and bytes."""

    WORDS = (
        b"nan", b"inf", b"-1", b"1e400", b"0x7fffffffffffffff", b'""', b"[]", b"{}", b"true",
        b'"\\u0000"', b"1979-05-27", b"[[a]]", b"[limits]", b"a.b.c = 1", b"\xff\xfe", b'"""',
    )  # fmt: skip

    def __init__(self, folder: Path) -> None:
        text = (PROJECT / "README.md").read_text(encoding="utf-8")
        self._configurations = [
            part.partition("```")[0].encode() for part in text.split("```toml\n")[1:]
        ]
        self._scenario = (
            b'seed = 1\nnoise_mv = 0.01\n[network]\ndrop = 0.01\n[[episode]]\nrhythm = "vt:180"\n'
            b'seconds = 12\nfault = "motion"\n'
        )
        self._path = folder / "fuzzed.toml"

    def round(self, chance: random.Random) -> None:
        scenario = chance.random() < 0.3
        content = self._scenario if scenario else chance.choice(self._configurations)
        tokens = content.replace(b"=", b" = ").split(b" ")
        for _ in range(chance.randrange(3)):
            tokens[chance.randrange(len(tokens))] = chance.choice(
                (*self.WORDS, chance.choice(tokens))
            )
        content = b" ".join(tokens)
        self._path.write_bytes(mangled(chance, content) if chance.random() < 0.5 else content)
        try:
            if scenario:
                read_scenario(self._path)
            else:
                settings_file.load(self._path)
        except SettingsError as error:
            if "\n" in str(error):
                raise AssertionError(f"more than a sentence: {error}") from error


class RecordRounds:
    """A WFDB record's header and samples; a recording's own files have their own program."""

    def __init__(self, folder: Path) -> None:
        self._header = BUNDLED.with_suffix(".hea").read_bytes()
        self._samples = BUNDLED.with_suffix(".dat").read_bytes()[:6000]
        self._path = folder / "208"

    def round(self, chance: random.Random) -> None:
        self._path.with_suffix(".hea").write_bytes(mangled(chance, self._header))
        self._path.with_suffix(".dat").write_bytes(mangled(chance, self._samples))
        with suppress(RecordError):
            read_record(self._path, chance.choice((0, 0, 0, 1, 7, -1)))


def fuzz(kind: Callable[[Path], Any], seconds: float, seed: int) -> Fed:
    """Rounds for so many seconds. Raises what should never be raised."""
    with tempfile.TemporaryDirectory() as name:
        rounds, number = kind(Path(name)), seed
        warm_s, until_s = time.monotonic() + min(seconds / 4, 20), time.monotonic() + seconds
        before_mb: float | None = None
        while time.monotonic() < until_s or number - seed < LEAST_ROUNDS:
            try:
                rounds.round(random.Random(number))
            except BaseException:
                print(f"seed {number}")
                raise
            number += 1
            if before_mb is None and time.monotonic() > warm_s:
                before_mb = _memory_mb()
    grown_mb = _memory_mb() - (before_mb or 0)
    assert grown_mb < MOST_GROWTH_MB, f"grown by {grown_mb:.1f} MB"
    return Fed(seconds, number - seed, grown_mb)


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def fuzz_recording(seconds: float, seed: int) -> Fed:
    """A recording's own files, as a station and an archive find them."""
    warm_s = min(seconds / 4, 20)
    fuzz_recordings(warm_s, seed)
    before_mb = _memory_mb()
    rounds = fuzz_recordings(seconds - warm_s, seed)
    grown_mb = _memory_mb() - before_mb
    assert grown_mb < MOST_GROWTH_MB, f"grown by {grown_mb:.1f} MB"
    return Fed(seconds, rounds, grown_mb)


# ── a real station behind a real broker ───────────────────────────────────────────────────────

ACTION_TOPIC = f"bedside/v1/station/{STATION}/bed/icu-1/action/nurse"


class Messages:
    """What a node and a screen can think of saying."""

    KNOWN = (
        "bedside/v1/icu-1/ecg", "bedside/v1/icu-2/ecg", "bedside/v1/icu-1/status",
        "bedside/v1/icu-1/meta", "bedside/v1/icu-1/ack", "bedside/v1/icu-2/cmd",
        ACTION_TOPIC, f"bedside/v1/station/{STATION}/bed/icu-1/action/doctor",
        f"bedside/v1/station/{STATION}/bed/icu-9/action/nurse",
        f"bedside/v1/station/{STATION}/bed/icu-1/state",
        f"bedside/v1/station/{STATION}/state", f"bedside/v1/station/{STATION}/metrics",
    )  # fmt: skip

    def __init__(self, chance: random.Random, topics: tuple[str, ...] = KNOWN) -> None:
        self._chance = chance
        self._topics = topics

    def topic(self) -> str:
        chance = self._chance
        topic = chance.choice(self._topics)
        if len(self._topics) > 1 and chance.random() < 0.3:
            parts = topic.split("/")
            parts[chance.randrange(len(parts))] = chance.choice(
                ("", "a" * 300, "é", "\U0001f691", "..", "ICU-1", "$SYS", "icu-1", "x\ty")
            )
            topic = "/".join(parts)
        return topic

    def payload(self) -> bytes:
        chance = self._chance
        wall_s = time.time() + chance.choice((0, 0, 0, -1e9, 1e300, float("nan")))
        action: dict[str, Any] = {
            "version": chance.choice((1, 1, 1, 2, "1", None)),
            "id": chance.choice(("a", "b" * 64, "", 7, None, chance.randbytes(6).hex())),
            "action": chance.choice(
                ("acknowledge", "pause-sound", "calibrate", "set-limit", "admit", "standby",
                 "discharge", "test-alert", "want-wave", "events-since", "", "no such", 3)
            ),
            "wall_s": chance.choice((wall_s, wall_s, wall_s, "now", None, [])),
            "arguments": self._arguments(),
        }  # fmt: skip
        if chance.random() < 0.2:
            del action[chance.choice(list(action))]
        match chance.randrange(4):
            case 0:
                return chance.randbytes(chance.choice((0, 1, 60, 160, 5000)))
            case 1:
                return mangled(chance, json.dumps(action).encode())
            case 2:
                return b"[" * chance.choice((10, 100_000)) + b"]" * chance.choice((0, 10))
            case _:
                return json.dumps(action).encode()

    def _arguments(self) -> Any:
        chance = self._chance
        odd = (0, -1, 1e308, float("inf"), float("nan"), "", "x" * 2000, None, [], {}, True, "2")
        names = ("instance", "seconds", "limits", "confirmed", "number", "contact", "population",
                 "session", "disabled", "code", "enabled", "tachy_bpm")  # fmt: skip
        found: dict[str, Any] = {name: chance.choice(odd) for name in chance.sample(names, 4)}
        if chance.random() < 0.5:
            limit = chance.choice(("tachy_bpm", "asystole_s", "nonsense"))
            found["limits"] = {limit: chance.choice(odd)}
        return chance.choice((found, found, found, chance.choice(odd)))


def fuzz_messages(seconds: float, seed: int, topics: tuple[str, ...] = Messages.KNOWN) -> Fed:
    """A node and a screen say everything on these topics, with what rights they have."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = made_site(folder / "site")
        (folder / "broker").mkdir()
        broker = Mosquitto(
            folder / "broker",
            f"include_dir {site.included.parent}\nuser {folder.owner()}\n",
        )
        broker.start()
        ca_file = site.authority.certificate_file

        def settings(user: str) -> Settings:
            return Settings(
                broker=BrokerSettings(
                    host="localhost", port=site.port, username=user, ca_file=ca_file,
                    password_file=site.users.clients_folder / f"{user}.password",
                ),
                station=StationSettings(
                    name=STATION, data_dir=folder / "data", roles={"nurse": "configure"}
                ),
            )  # fmt: skip

        station = StationProcess(
            settings(STATION), admit=("icu-1",), memory=folder, log=folder / "station.log"
        )
        try:
            station.wait_until_up()
            said, before_mb, after_mb = 0, 0.0, 0.0
            strangers = 0
            node = _speaker(site, "icu-1")
            screen = _speaker(site, "nurse")
            with (
                connected(site.port, STATION, password(site, STATION), ca_file) as witness,
                StationClient(settings("nurse"), "nurse") as operator,
            ):
                witness.subscribe("bedside/v1/icu-2/#")
                operator.beds()  # the station hears
                warm_s, until_s = time.monotonic() + seconds / 3, time.monotonic() + seconds
                messages = Messages(chance, topics)
                while time.monotonic() < until_s:
                    for _ in range(200):
                        topic, payload = messages.topic(), messages.payload()
                        if len(topic) < 65_000 and "\0" not in topic and topic:
                            speaker = chance.choice((node, screen))
                            speaker.publish(topic, payload, 1, chance.random() < 0.1)
                            said += 1
                    # Whoever is answered has been heard: what went before was taken in, too.
                    operator.act("icu-1", "want-wave", {})
                    operator.act("icu-1", "admit", {})
                    strangers += _stranger(site.port, site.plain_port, ca_file, chance)
                    if not before_mb and time.monotonic() > warm_s:
                        before_mb = station.resident_mb()
                after_mb = station.resident_mb()
                with connected(site.port, "icu-2", password(site, "icu-2"), ca_file) as other:
                    other.publish("bedside/v1/icu-2/meta", b"the last")
                    heard = witness.until(b"the last")
                assert not heard, f"icu-2 was spoken for: {heard[:3]}"
            for speaker in (node, screen):
                speaker.stop()
            station.stop()
        finally:
            with suppress(OSError):
                station.kill()
            broker.kill()
        errors = (folder / "station.log").read_text()
    assert "Traceback" not in errors, errors[errors.index("Traceback") - 200 :][:3000]
    assert after_mb - before_mb < MOST_GROWTH_MB, f"grown by {after_mb - before_mb:.1f} MB"
    return Fed(seconds, said, after_mb - before_mb, strangers)


def _speaker(site: Any, user: str) -> Link:
    up = threading.Event()
    link = Link(
        Address(
            "localhost", site.port, user, password(site, user), site.authority.certificate_file
        ),
        client_id=f"fuzz-{user}",
        keepalive_s=60,
        on_state=lambda is_up, _: up.set() if is_up else None,
    )
    link.start()
    assert up.wait(60)
    return link


def _stranger(port: int, plain_port: int, ca_file: Path, chance: random.Random) -> int:
    """Somebody without a name, or with a wrong password: refused."""
    name = chance.choice(("", "icu-1", "nurse", STATION, "root"))
    wrong = chance.choice(("", "guess", "x" * 200))
    there, ca = chance.choice(((port, ca_file), (plain_port, None), (port, None)))
    try:
        with connected(there, name, wrong, ca):
            raise AssertionError(f"{name!r} came in with {wrong!r}")
    except (RefusedError, OSError):
        return 1


TARGETS: dict[str, Callable[[float, int], Fed]] = {
    "wire": lambda seconds, seed: fuzz(WireRounds, seconds, seed),
    "ack": lambda seconds, seed: fuzz(AckRounds, seconds, seed),
    "config": lambda seconds, seed: fuzz(ConfigRounds, seconds, seed),
    "record": lambda seconds, seed: fuzz(RecordRounds, seconds, seed),
    "recording": fuzz_recording,
    "topics": fuzz_messages,
    "operator": lambda seconds, seed: fuzz_messages(seconds, seed, (ACTION_TOPIC,)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for name in options.targets or TARGETS:
        fed = TARGETS[name](options.seconds, options.seed)
        print(
            f"{name}: {fed.inputs} inputs in {fed.seconds:.0f} s, no crash, grown by "
            f"{fed.grown_mb:.1f} MB, {fed.strangers} strangers refused",
            flush=True,
        )
        if options.seconds >= KEPT_FROM_S:
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results[name] = asdict(fed)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
