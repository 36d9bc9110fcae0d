"""Where the transport `iot-core` connects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IotEndpoint:
    """Where to connect and as whom. `ca_file` None: the system's certificate authorities."""

    host: str
    port: int
    thing: str
    certificate_file: Path
    key_file: Path
    ca_file: Path | None = None
