"""A node's identity into its flash: credentials → CSV → NVS image → esptool.

The image is what ESP-IDF's own generator makes of the CSV, for the partition `nvs` of
`firmware/partitions.csv`; the firmware reads it in `firmware/main/credentials.cpp`. CSV and image
hold secrets: both lie in a folder that only their owner can enter, in memory where the system has
such a place, and are gone when it is left, however that is.

Generator and esptool run as programs of their own, of the extra `node`.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from bedside.errors import ProvisioningError
from bedside.node.wire import is_node_name

NAMESPACE = "bedside"
NVS_OFFSET = 0x9000
NVS_BYTES = 0x6000

MAX_SSID_BYTES = 32
MAX_URI_BYTES = 128
MAX_PASSWORD_BYTES = 128
MAX_CA_BYTES = 3071
"""What the firmware has room for, its terminating zeros apart."""

CONNECT_ATTEMPTS = 7
"""Tries to reach the bootloader, some 2 s each."""

SECRET_KEYS = frozenset({"wifi_pass", "broker_pass"})

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\s.+?-----END CERTIFICATE-----", flags=re.DOTALL
)
_RAM_FOLDER = Path("/dev/shm")
_MODULES = ("esptool", "esp_idf_nvs_partition_gen")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a node is and where it belongs. Raises ProvisioningError for what cannot work.

    `broker_uri` is `mqtts://host` or `mqtts://host:port`; `ca_pem` holds certificates in PEM and
    nothing else.
    """

    name: str
    ssid: str
    wifi_password: str
    broker_uri: str
    broker_password: str
    ca_pem: str

    def __post_init__(self) -> None:
        if not is_node_name(self.name):
            raise ProvisioningError(
                f"{self.name!r} is no node's name: use 1 to 32 of a-z, 0-9 and -."
            )
        _check_text("The Wi-Fi's name", self.ssid, 1, MAX_SSID_BYTES)
        _check_text("The Wi-Fi's password", self.wifi_password, 8, 64)
        if len(self.wifi_password) == 64 and not re.fullmatch(r"[0-9a-fA-F]+", self.wifi_password):
            raise ProvisioningError(
                "The Wi-Fi's password is 64 characters long, but not a key in hexadecimal: "
                "WPA2 takes 8 to 63 characters."
            )
        _check_text(
            "The node's password at the broker", self.broker_password, 1, MAX_PASSWORD_BYTES
        )
        _check_broker(self.broker_uri)

    def entries(self) -> dict[str, str]:
        """The NVS keys of the namespace `bedside` and their values, all of them strings."""
        return {
            "name": self.name,
            "ssid": self.ssid,
            "wifi_pass": self.wifi_password,
            "broker_uri": self.broker_uri,
            "broker_pass": self.broker_password,
            "ca": self.ca_pem,
        }

    def csv(self, *, masked: bool = False) -> str:
        """The generator's input; `masked` hides every secret and shortens the certificates."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("key", "type", "encoding", "value"))
        writer.writerow((NAMESPACE, "namespace", "", ""))
        for key, value in self.entries().items():
            shown = value
            if masked and key in SECRET_KEYS:
                shown = "(hidden)"
            elif masked and key == "ca":
                count = len(_CERTIFICATE.findall(value))
                shown = f"({count} certificate{'s' * (count > 1)}, {len(value)} bytes)"
            writer.writerow((key, "data", "string", shown))
        return text.getvalue()


def read_authority(path: Path) -> str:
    """The certificates of a PEM file, without what stands around them.

    Raises ProvisioningError where there is none of an authority, or too much for the node.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ProvisioningError(
            f"The broker's authority cannot be read from {path} ({error.strerror}): "
            "give its certificate with --ca-file."
        ) from error
    if "PRIVATE KEY" in text:
        raise ProvisioningError(
            f"{path} holds a private key, which no node may have: give the certificate alone."
        )
    pem = "".join(f"{block}\n" for block in _CERTIFICATE.findall(text))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ProvisioningError(
            f"{path} holds no certificate in PEM: give that of the broker's authority."
        ) from error
    if not context.cert_store_stats()["x509_ca"]:
        raise ProvisioningError(
            f"{path} holds a certificate, but not an authority's: give the one that signed the "
            "broker's."
        )
    if len(pem.encode()) > MAX_CA_BYTES:
        raise ProvisioningError(
            f"The certificates in {path} take {len(pem.encode())} bytes, and a node has room for "
            f"{MAX_CA_BYTES}: leave only that of the authority that signed the broker's."
        )
    return pem


def read_password(path: Path) -> str:
    """The first line of a file that only its owner can read. Raises ProvisioningError."""
    try:
        if path.stat().st_mode & 0o077:
            raise ProvisioningError(f"Others can read {path}: run chmod 600 {path}.")
        return path.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise ProvisioningError(
            f"No password can be read from {path}: put it on the first line of that file."
        ) from error


def check_tools() -> None:
    """Raises ProvisioningError where the extra `node` is not installed."""
    if any(importlib.util.find_spec(module) is None for module in _MODULES):
        raise ProvisioningError(
            "Provisioning needs esptool and ESP-IDF's NVS generator: "
            "run pip install 'bedside[node]'."
        )


def check_port(port: str) -> None:
    """Raises ProvisioningError for a serial port that is not there or may not be used.

    A URL of pyserial, such as `rfc2217://host:port`, is left to esptool.
    """
    if "://" in port:
        return
    if not Path(port).exists():
        from serial.tools import list_ports

        there = ", ".join(sorted(each.device for each in list_ports.comports()))
        raise ProvisioningError(
            f"There is no port {port}: connect the node by USB and give one of "
            f"{there or 'those in /dev/ttyUSB* or /dev/ttyACM*, of which there is none now'}."
        )
    if not os.access(port, os.R_OK | os.W_OK):
        raise ProvisioningError(
            f"You may not use {port}: add yourself to its group (dialout on Debian) and log in "
            "again."
        )


def flash(credentials: Credentials, port: str) -> None:
    """Write the credentials to the node on this port and restart it.

    Raises ProvisioningError, which quotes no secret; nothing of CSV and image is left behind.
    """
    check_tools()
    check_port(port)
    with private_folder() as folder:
        image = make_image(credentials, folder)
        done = _run(
            *("esptool", "--port", port, "--connect-attempts", str(CONNECT_ATTEMPTS)),
            *("write-flash", hex(NVS_OFFSET), str(image)),
        )
    if done.returncode != 0:
        raise ProvisioningError(
            f"The node on {port} was not written ({_reason(done.stdout + done.stderr)}): "
            "hold its BOOT button while it connects, and close what else uses the port."
        )


def make_image(credentials: Credentials, folder: Path) -> Path:
    """The NVS partition of these credentials, in a folder that nobody else can enter."""
    source, image = folder / "node.csv", folder / "node.bin"
    with os.fdopen(os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(credentials.csv())
    done = _run("esp_idf_nvs_partition_gen", "generate", str(source), str(image), hex(NVS_BYTES))
    source.unlink()
    if done.returncode != 0 or not image.exists() or image.stat().st_size != NVS_BYTES:
        raise ProvisioningError(
            "ESP-IDF's NVS generator made no image: run pip install --upgrade 'bedside[node]'."
        )
    return image


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for its owner alone, in memory if possible, gone afterwards, whatever ends it."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    former = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    in_ram = _RAM_FOLDER if os.access(_RAM_FOLDER, os.W_OK) else None
    try:
        prefix = f"bedside-node-{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=in_ram) as folder:
            yield Path(folder)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        umask=0o077,
        check=False,
    )


def _reason(output: str) -> str:
    """What esptool says of its failure, in one line."""
    said = re.search(r"fatal error occurred: (.+)", output)
    last = output.strip().splitlines()[-1:] or ["no answer"]
    return (said.group(1) if said else last[0]).strip().rstrip(".")


def _check_text(what: str, text: str, least: int, most: int) -> None:
    if not text.isprintable():
        raise ProvisioningError(f"{what} holds a character that cannot be printed: leave it out.")
    size = len(text.encode())
    if not least <= size <= most:
        raise ProvisioningError(
            f"{what} has {size} bytes and must have {least} to {most}: correct it."
        )


def _check_broker(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    plain = "" if not port_fits else parts._replace(netloc="", scheme="").geturl()
    if not port_fits or parts.scheme != "mqtts" or not parts.hostname or plain or "@" in uri:
        raise ProvisioningError(
            f"{uri!r} is no broker for a node: give mqtts://host or mqtts://host:port, and TLS is "
            "always on."
        )
    _check_text("The broker's address", uri, 1, MAX_URI_BYTES)
    if _is_loopback(parts.hostname):
        raise ProvisioningError(
            f"A node cannot reach {parts.hostname}: give the broker's name or address in its "
            "network with --broker."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
