"""A Mosquitto as a ward runs it: TLS, a password for each node, and an ACL."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mosquitto import Mosquitto

ACL = """\
user station
topic readwrite bedside/v1/#

pattern write bedside/v1/%u/ecg
pattern write bedside/v1/%u/meta
pattern write bedside/v1/%u/status
pattern read bedside/v1/%u/ack
pattern read bedside/v1/%u/cmd
"""


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _authority(folder: Path, name: str) -> Path:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    return certificate


class SecureBroker(Mosquitto):
    """With an authority of its own, and another one that it has nothing to do with."""

    def __init__(self, folder: Path) -> None:
        passwd = shutil.which("mosquitto_passwd")
        if passwd is None or shutil.which("openssl") is None:
            pytest.skip("needs mosquitto_passwd and openssl: apt install mosquitto openssl")
        self.folder = folder
        self.ca_file = _authority(folder, "ca")
        self.other_ca_file = _authority(folder, "other")
        request, key, certificate = (folder / f"server.{end}" for end in ("csr", "key", "pem"))
        names = folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
            *("-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.ca_file)),
            *("-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2"),
            *("-extfile", str(names), "-out", str(certificate)),
        )
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        for user in ("station", "bed-1"):
            subprocess.run(
                [passwd, "-b", str(passwords), user, f"{user}-secret"],
                check=True,
                capture_output=True,
            )
        acl = folder / "acl"
        acl.write_text(ACL)
        acl.chmod(0o600)
        super().__init__(
            folder,
            f"allow_anonymous false\ncafile {self.ca_file}\ncertfile {certificate}\n"
            f"keyfile {key}\npassword_file {passwords}\nacl_file {acl}\n"
            f"user {getpass.getuser()}\n",
        )
