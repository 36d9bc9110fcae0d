"""The configuration: `bedside.toml`, then environment variables `BEDSIDE_<SECTION>__<KEY>`.

Every field has its unit in its name and its meaning below it. An unknown key or a value outside its
bounds is refused with one sentence.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as PydanticSettingsError

from bedside.broker_address import Address
from bedside.errors import SettingsError
from bedside.limits import Limits
from bedside.roles import Role


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BrokerSettings(_Section):
    """The MQTT broker that nodes and station share."""

    host: str = "127.0.0.1"
    """Host name or address of the broker."""

    port: int = Field(default=1883, ge=1, le=65535)
    """TCP port: 1883 plain (loopback only, please), 8883 with TLS."""

    username: str = ""
    """User name at the broker; empty for an anonymous broker on loopback."""

    password_file: Path | None = None
    """A file that holds the password on its first line and that only its owner can read."""

    ca_file: Path | None = None
    """The certificate authority of the broker; set it to use TLS."""

    def address(self) -> Address:
        """Where to connect, and as whom. Raises SettingsError as `password` does."""
        return Address(self.host, self.port, self.username, self.password(), self.ca_file)

    def password(self) -> str:
        """The password, or an empty string. Raises SettingsError when its file is unfit."""
        if self.password_file is None:
            return ""
        try:
            if self.password_file.stat().st_mode & 0o077:
                raise SettingsError(
                    f"others can read {self.password_file}: run chmod 600 {self.password_file}."
                )
            return self.password_file.read_text(encoding="utf-8").splitlines()[0].strip()
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the broker's password cannot be read from {self.password_file}: "
                "put it on the first line of that file."
            ) from error


class StationSettings(_Section):
    """The station itself."""

    name: str = Field(default="bedside", pattern=r"^[a-z0-9-]{1,32}$")
    """Name of this station in its topics."""

    data_dir: Path = Field(
        default_factory=lambda: (
            Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "bedside"
        )
    )
    """Folder for recordings, baselines, the alarm log and the outbox; `~` is the user's home."""

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser()

    bed_names: tuple[str, ...] = ("*",)
    """Nodes to serve, as shell patterns; a bed has the name of its node.

    Several stations on one broker share out its nodes by these; each needs a name of its own.
    """

    @field_validator("bed_names")
    @classmethod
    def _can_fit(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not re.fullmatch(r"[][a-z0-9*?!-]{1,100}", pattern):
                raise ValueError(f"{pattern!r} fits no node's name, which is of a-z, 0-9 and -")
        return patterns

    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Port on loopback where Prometheus finds /metrics; without it nowhere."""

    roles: dict[str, Literal["view", "operate", "configure"]] = {}
    """What users of the broker may do here: look; act on alarms; set limits and move patients."""


class RecordingSettings(_Section):
    """The recorder."""

    sync_every_s: float = Field(default=20.0, ge=0.2, le=600)
    """Seconds between syncs to disk; a batch is acknowledged to its node after its sync.

    A power cut takes what came since, and the nodes send it again: the ESP32 holds 117 s. With 10
    an SD card is written 219 MB a day for a bed instead of 133.
    """

    keep_h: float = Field(default=72.0, ge=1, le=8760)
    """Hours of signal kept of each bed; older ones are deleted, except the strips of alarms."""

    strips_mb: int = Field(default=200, ge=1)
    """Room for the strips of each bed's alarms, 200 MB for some 3500; then the oldest go."""

    low_space_mb: int = Field(default=500, ge=10)
    """An alarm tells when less than this is free on the disk."""


class ContactSettings(_Section):
    """Somebody who is told."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    """What the configuration and the commands call them: a role, not a person."""

    phone: str = Field(default="", pattern=r"^(\+[1-9][0-9]{6,14})?$")
    """Telephone number for SMS, with + and country code."""


class IotCoreSettings(_Section):
    """The transport `iot-core`. `bedside cloud provision` prints what belongs here."""

    endpoint: str = ""
    """Host name of the account's AWS IoT Core endpoint."""

    port: int = Field(default=8883, ge=1, le=65535)
    """8883, or 443 where a firewall lets nothing else out."""

    thing: str = Field(default="bedside", pattern=r"^[a-z0-9-]{1,32}$")
    """Name of this monitor in the cloud, and its MQTT client id."""

    certificate_file: Path = Path("/etc/bedside/cloud/certificate.pem")
    """This monitor's certificate."""

    key_file: Path = Path("/etc/bedside/cloud/private.key")
    """Its private key, mode 0600."""

    ca_file: Path | None = None
    """The endpoint's certificate authority; without it the system's own are trusted."""

    acknowledge_key_file: Path | None = None
    """A key that signs acknowledgements from afar, mode 0600; without it there are none."""


class WebhookSettings(_Section):
    """The transport `webhook`."""

    url: str = Field(default="", repr=False)
    """Where alerts are posted; https, except on loopback."""

    key_file: Path = Path("/etc/bedside/webhook.key")
    """A key of at least 32 characters that signs each post, mode 0600."""


TransportName = Literal["log", "iot-core", "webhook"]


class AlertSettings(_Section):
    """What leaves the building."""

    transports: tuple[TransportName, ...] = Field(default=("log",), min_length=1)
    """How an alert leaves; each one goes to the first that takes it."""

    contacts: tuple[ContactSettings, ...] = Field(default=(), max_length=3)
    """Who is told, in this order: the next one when nobody acknowledged in time."""

    most_per_minute: int = Field(default=10, ge=2, le=100)
    """Messages that may leave singly; what is more becomes a digest."""

    iot_core: IotCoreSettings = IotCoreSettings()
    webhook: WebhookSettings = WebhookSettings()

    def contact_names(self) -> tuple[str, ...]:
        """Who is told, in their order."""
        return tuple(contact.name for contact in self.contacts)


class ScreenSettings(_Section):
    """The terminal screen."""

    glyphs: Literal["braille", "block", "ascii"] = "braille"
    """What the trace is drawn with; the Linux console knows no braille: use ascii there."""

    sweep_s: float = Field(default=6.0, ge=2, le=30)
    """Seconds across the trace at 25 mm/s, as long as `width_mm` is not set."""

    width_mm: float = Field(default=0.0, ge=0, le=5000)
    """Width of the whole screen on the glass, by ruler: millimetres are then true; 0: unknown."""

    height_mm: float = Field(default=0.0, ge=0, le=5000)
    """Height of the whole screen on the glass; 0: a character is twice as high as wide."""

    speed_mm_s: float = 25.0
    """Speed of the trace: 12.5, 25 or 50 mm/s."""

    gain_mm_mv: float = 0.0
    """Height of a millivolt: 5, 10 or 20 mm/mV; 0 fits the trace to the beats."""

    theme: Literal["night", "day", "high-contrast", "monochrome"] = "night"
    """The colours; `NO_COLOR` in the environment wins over all of them."""

    kiosk: bool = False
    """A screen beside a bed: no command palette and no quitting."""

    @field_validator("speed_mm_s")
    @classmethod
    def _usual_speed(cls, speed_mm_s: float) -> float:
        if speed_mm_s not in (12.5, 25, 50):
            raise ValueError("must be 12.5, 25 or 50")
        return speed_mm_s

    @field_validator("gain_mm_mv")
    @classmethod
    def _usual_gain(cls, gain_mm_mv: float) -> float:
        if gain_mm_mv not in (0, 5, 10, 20):
            raise ValueError("must be 5, 10 or 20, or 0 for automatic")
        return gain_mm_mv


class Settings(_Section):
    """All of it. `load` reads it from a file."""

    broker: BrokerSettings = BrokerSettings()
    station: StationSettings = StationSettings()
    recording: RecordingSettings = RecordingSettings()
    alerts: AlertSettings = AlertSettings()
    screen: ScreenSettings = ScreenSettings()
    limits: Limits = Limits()

    def role_of(self, user: str) -> Role:
        """What a user of the broker may do.

        The station's own user may everything, and so may everybody on a broker that asks nobody
        who they are; a user of whom `station.roles` says nothing may look.
        """
        if user in self.station.roles:
            return Role[self.station.roles[user].upper()]
        return Role.CONFIGURE if self.broker.username in ("", user) else Role.VIEW


class _FromEnvironment(Settings, BaseSettings):
    """Settings over which the environment wins, so that a service's unit can override a file."""

    model_config = SettingsConfigDict(
        env_prefix="BEDSIDE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then the file."""
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """The settings of a file, or the defaults. Raises SettingsError with one sentence."""
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(
                f"the configuration {path} cannot be read ({error.strerror}): name another with "
                "--config."
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML: {error}.") from error
        _check_limits(path, content)
    try:
        return _FromEnvironment(**content)
    except PydanticSettingsError as error:
        raise SettingsError(f"the environment: {error}.".replace("\n", " ")) from error
    except ValidationError as error:
        raise SettingsError(_sentence(path, error)) from error


def with_values(settings: Settings, section: str, values: Mapping[str, Any]) -> Settings:
    """The settings with values of a section from elsewhere, an option say. Raises SettingsError."""
    old = getattr(settings, section)
    try:
        new = type(old).model_validate(old.model_dump() | dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"{section}.{first['loc'][0]} = {first['input']!r} is not usable: "
            f"{first['msg'].lower()}."
        ) from error
    return settings.model_copy(update={section: new})


def _check_limits(path: Path, content: dict[str, Any]) -> None:
    limits = content.get("limits", {})
    if isinstance(limits, dict):
        for key in limits:
            if key not in Limits.__dataclass_fields__:
                raise SettingsError(_unknown(path, f"limits.{key}", _known_keys()))


def _sentence(path: Path | None, error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    where = str(path) if path else "the environment"
    if first["type"] == "extra_forbidden":
        return _unknown(where, key, _known_keys())
    if first["type"] == "value_error":
        return f"{where}: {key}.{first['ctx']['error']}."
    return f"{where}: {key} = {first['input']!r} is not usable: {first['msg'].lower()}."


def _unknown(where: object, key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
    return f"{where}: {key} is not a setting; {hint}"


def _known_keys() -> list[str]:
    keys: list[str] = []
    for name, section in Settings.model_fields.items():
        fields = getattr(section.annotation, "model_fields", Limits.__dataclass_fields__)
        keys.extend(f"{name}.{field}" for field in fields)
    return keys
