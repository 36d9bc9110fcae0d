"""A stand-in for AWS as a process of its own: its HTTP services and its MQTT listener.

It runs rules, policies, presence events and CloudFormation. It does not text anybody, does not
read a message's JSON per protocol, and knows neither the SMS sandbox nor the spend limit.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

REGION = "eu-central-1"
STARTS_WITHIN_S = 120.0


class Ministack:
    """Enforces policies (`AUTH=true`); `log` holds what it did."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("ministack", path=str(Path(sys.executable).parent))
        if program is None:
            pytest.skip("needs ministack: pip install 'bedside[dev]'")
        http_port, self.mqtt_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{http_port}"
        self.log = folder / "ministack.log"
        settings = {
            "GATEWAY_PORT": str(http_port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_PORT": str(self.mqtt_port),
            "AUTH": "true",
            "TMPDIR": str(folder),
            "HOME": str(folder),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [program],
                env=os.environ | self.credentials() | settings,
                stdout=log,
                stderr=log,
            )
        give_up_s = time.monotonic() + STARTS_WITHIN_S
        for port in (http_port, self.mqtt_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < give_up_s, self.log.read_text()
                    time.sleep(0.05)

    def credentials(self) -> dict[str, str]:
        """The environment of whoever asks this AWS."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }

    def wait_for_log(self, words: str, within_s: float = 60.0) -> None:
        give_up_s = time.monotonic() + within_s
        while words not in self.log.read_text():
            assert time.monotonic() < give_up_s, f"{words} never happened"
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
