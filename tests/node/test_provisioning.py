"""A node's credentials reach its flash as the firmware reads them, and nowhere else."""

from __future__ import annotations

import csv
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.cli import main
from bedside.errors import ProvisioningError
from bedside.node import provisioning
from bedside.node.provisioning import Credentials
from tests.certificates import Authority
from tests.node import nvs_image

FIRMWARE = Path(__file__).parents[2] / "firmware"
AWKWARD = 'a, "b" \'#;\\ü='
Run = Callable[..., "Said"]
SECRETS = ("wifi-secret-1", "broker-secret-1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


def credentials(ca_pem: str = "ca", **changed: str) -> Credentials:
    fields = {
        "name": "icu-1",
        "ssid": "WARD",
        "wifi_password": SECRETS[0],
        "broker_uri": "mqtts://broker.local:8883",
        "broker_password": SECRETS[1],
        "ca_pem": ca_pem,
    }
    return Credentials(**{**fields, **changed})


def image_of(given: Credentials, folder: Path) -> bytes:
    return provisioning.make_image(given, folder).read_bytes()


def test_the_image_holds_every_value_as_it_was_given(authority: Authority, tmp_path: Path) -> None:
    given = credentials(
        provisioning.read_authority(authority.file),
        ssid=AWKWARD,
        wifi_password=f" {AWKWARD} ",
        broker_password="#" + AWKWARD,
    )
    image = image_of(given, tmp_path)
    assert nvs_image.strings(image) == {
        (provisioning.NAMESPACE, key): value for key, value in given.entries().items()
    }


TEXTS = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], max_codepoint=0x7F), min_size=8, max_size=63
)


@given(TEXTS, st.lists(st.text("+/=abcXYZ019-", min_size=1, max_size=64), max_size=20))
def test_no_password_breaks_the_csv(password: str, ca_lines: list[str]) -> None:
    ca_pem = "".join(f"{line}\n" for line in ca_lines)
    given = credentials(ca_pem, wifi_password=password)
    # As the generator reads it: lines that begin with # are comments.
    lines = [line for line in given.csv().splitlines(keepends=True) if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert {row["key"]: row["value"] for row in rows[1:]} == given.entries()


def test_a_damaged_image_is_not_read_as_a_whole_one(tmp_path: Path) -> None:
    image = bytearray(image_of(credentials(), tmp_path))
    image[image.index(b"WARD")] ^= 1
    with pytest.raises(AssertionError):
        nvs_image.strings(bytes(image))


def test_keys_and_room_are_those_of_the_firmware() -> None:
    source = (FIRMWARE / "main" / "credentials.cpp").read_text()
    header = (FIRMWARE / "main" / "credentials.hpp").read_text()
    fields = dict(re.findall(r'read\(handle, "(\w+)",\s*credentials\.(\w+)', source))
    room = {field: int(size) for field, size in re.findall(r"char (\w+)\[(\d+)\]", header)}
    assert set(fields) == set(credentials().entries())
    assert f'kNamespace = "{provisioning.NAMESPACE}"' in source
    assert {key: room[field] - 1 for key, field in fields.items()} == {
        "name": 32,
        "ssid": provisioning.MAX_SSID_BYTES,
        "wifi_pass": 64,
        "broker_uri": provisioning.MAX_URI_BYTES,
        "broker_pass": provisioning.MAX_PASSWORD_BYTES,
        "ca": provisioning.MAX_CA_BYTES,
    }


def test_the_image_goes_where_the_partition_table_has_it() -> None:
    table = (FIRMWARE / "partitions.csv").read_text()
    row = re.search(r"^nvs, *data, *nvs, *(0x\w+), *(0x\w+)", table, flags=re.MULTILINE)
    assert row is not None
    assert [int(number, 16) for number in row.groups()] == [
        provisioning.NVS_OFFSET,
        provisioning.NVS_BYTES,
    ]


def test_values_of_the_greatest_size_fit_together(tmp_path: Path) -> None:
    given = credentials(
        name="n" * 32,
        ssid="s" * provisioning.MAX_SSID_BYTES,
        wifi_password="0" * 64,
        broker_uri="mqtts://" + "b" * (provisioning.MAX_URI_BYTES - 8),
        broker_password="p" * provisioning.MAX_PASSWORD_BYTES,
        ca_pem="c" * provisioning.MAX_CA_BYTES,
    )
    assert len(nvs_image.strings(image_of(given, tmp_path))) == 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "ICU"}, "a-z"),
        ({"ssid": ""}, "1 to 32"),
        ({"ssid": "ü" * 17}, "34 bytes"),
        ({"ssid": "WARD\n"}, "printed"),
        ({"wifi_password": "short"}, "8 to 64"),
        ({"wifi_password": "x" * 64}, "hexadecimal"),
        ({"broker_password": ""}, "1 to 128"),
        ({"broker_uri": "mqtt://broker.local"}, "TLS"),
        ({"broker_uri": "mqtts://"}, "mqtts://host"),
        ({"broker_uri": "mqtts://broker:99999"}, "mqtts://host"),
        ({"broker_uri": "mqtts://broker:1/path"}, "mqtts://host"),
        ({"broker_uri": "mqtts://me:secret@broker"}, "mqtts://host"),
        ({"broker_uri": "mqtts://localhost:8883"}, "--broker"),
        ({"broker_uri": "mqtts://[::1]"}, "--broker"),
        ({"broker_uri": "mqtts://127.0.0.1"}, "--broker"),
    ],
)
def test_what_cannot_work_is_refused_in_words(changed: dict[str, str], said: str) -> None:
    with pytest.raises(ProvisioningError) as refusal:
        credentials(**changed)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_only_the_certificates_of_a_file_are_taken(authority: Authority, tmp_path: Path) -> None:
    chatty = tmp_path / "chatty.pem"
    chatty.write_text(f"Certificate: of the ward\n{authority.file.read_text()}and so on\n")
    assert provisioning.read_authority(chatty) == authority.file.read_text()


def test_files_that_hold_no_authority_are_refused(authority: Authority, tmp_path: Path) -> None:
    server, key = authority.issue("server", host="broker.local")
    junk = tmp_path / "junk.pem"
    junk.write_bytes(bytes(range(256)))
    cut = tmp_path / "cut.pem"
    cut.write_text(authority.file.read_text().replace("MII", "M", 1))
    crowd = tmp_path / "crowd.pem"
    crowd.write_text(authority.file.read_text() * 8)
    for path, said in (
        (server, "not an authority's"),
        (key, "private key"),
        (junk, "no certificate"),
        (cut, "no certificate"),
        (crowd, "has room for"),
        (tmp_path / "nowhere.pem", "--ca-file"),
    ):
        with pytest.raises(ProvisioningError, match=re.escape(said)):
            provisioning.read_authority(path)


def test_csv_and_image_are_their_owners_alone_while_they_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[str, int]] = []
    run = provisioning._run

    def watched(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = run(*arguments)
        for argument in arguments:
            path = Path(argument)
            if path.exists():
                seen.append((path.suffix, path.stat().st_mode & 0o777))
                folders.add(path.parent)
        return done

    folders: set[Path] = set()
    monkeypatch.setattr(provisioning, "_run", watched)
    with provisioning.private_folder() as folder:
        image_of(credentials(), folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in folder.iterdir()] == ["node.bin"]
    assert sorted(seen) == [(".bin", 0o600), (".csv", 0o600)]
    assert folders == {folder}
    assert not folder.exists()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning, "_MODULES", ("esptool_of_another_world",))
    with pytest.raises(ProvisioningError, match=r"pip install 'bedside\[node\]'"):
        provisioning.flash(credentials(), "/dev/null")


@pytest.fixture
def asked(authority: Authority, tmp_path: Path) -> list[str]:
    wifi = tmp_path / "wifi"
    wifi.touch(mode=0o600)
    wifi.write_text(f"{SECRETS[0]}\n")
    password = tmp_path / "icu-1.password"
    password.touch(mode=0o600)
    password.write_text(f"{SECRETS[1]}\n")
    return [
        *("node", "provision", "icu-1", "--ssid", "WARD", "--broker", "mqtts://broker.local:8883"),
        *("--ca-file", str(authority.file), "--wifi-password-file", str(wifi)),
        *("--password-file", str(password)),
    ]


class Said(NamedTuple):
    """What a command ended with."""

    returncode: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["bedside", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return command


def test_a_dry_run_shows_no_secret_and_needs_no_port(run: Run, asked: list[str]) -> None:
    done = run(*asked, "--dry-run")
    assert done.returncode == 0
    assert "icu-1" in done.out
    assert "mqtts://broker.local:8883" in done.out
    assert not any(secret in done.out + done.err for secret in SECRETS)


def test_mistakes_end_in_one_sentence(run: Run, asked: list[str]) -> None:
    def sentence(*arguments: str) -> str:
        done = run(*arguments)
        assert (done.returncode, done.out, done.err.count("\n")) == (2, "", 1)
        return done.err

    assert "--port" in sentence(*asked)
    assert "/dev/nowhere" in sentence(*asked, "--port", "/dev/nowhere")
    assert "a-z" in sentence(*asked[:2], "ICU", *asked[3:])
    assert "--ca-file" in sentence(
        *("node", "provision", "icu-1", "--ssid", "W", "--password-file", "there")
    )
    Path(asked[-1]).chmod(0o644)
    assert "chmod 600" in sentence(*asked, "--dry-run")


@pytest.fixture
def bootloader() -> Iterator[str]:
    """The serial port of a chip that waits in its bootloader."""
    pytest.importorskip("esp32_mock_bootloader", reason="needs pip install -e '.[dev]'")
    chip = ("run", "--chip", "esp32c3", "--pty")
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "esp32_mock_bootloader.cli", *chip],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def verifies(port: str, image: Path) -> bool:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "esptool", "--port", port),
            *("verify-flash", hex(provisioning.NVS_OFFSET), str(image)),
        ],
        capture_output=True,
    )
    return done.returncode == 0


def test_a_node_in_its_bootloader_gets_the_image(
    run: Run, bootloader: str, authority: Authority, asked: list[str], tmp_path: Path
) -> None:
    done = run(*asked, "--port", bootloader)
    assert done.returncode == 0, done.err
    assert not any(secret in done.out + done.err for secret in SECRETS)
    image = provisioning.make_image(
        credentials(provisioning.read_authority(authority.file)), tmp_path
    )
    assert verifies(bootloader, image)
    image.write_bytes(image.read_bytes().replace(SECRETS[1].encode(), SECRETS[1][::-1].encode()))
    assert not verifies(bootloader, image)


def test_a_silent_port_is_given_up_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, run: Run, asked: list[str]
) -> None:
    monkeypatch.setattr(provisioning, "CONNECT_ATTEMPTS", 1)
    ours, theirs = pty.openpty()
    try:
        done = run(*asked, "--port", os.ttyname(theirs))
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "BOOT" in done.err
    assert done.err.count("\n") == 1
    assert not any(secret in done.err for secret in SECRETS)


def test_a_command_that_is_ended_leaves_no_secret_behind(asked: list[str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "bedside", *asked, "--port", os.ttyname(theirs)],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert os.read(ours, 1)  # esptool speaks: the image lies there now
        assert images_of(process, tmp_path)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 128 + signal.SIGTERM, said
        assert not images_of(process, tmp_path)
    finally:
        os.close(ours)
        os.close(theirs)


def images_of(process: subprocess.Popen[str], temporary: Path) -> list[Path]:
    places = (temporary, Path("/dev/shm"))
    pattern = f"bedside-node-{process.pid}-*/node.bin"
    return [path for place in places if place.exists() for path in place.glob(pattern)]
