"""Who may do what on a station: three roles, each of which may all that the one before may."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What an operator may do."""

    VIEW = 1
    OPERATE = 2
    CONFIGURE = 3

    @property
    def word(self) -> str:
        """As the configuration and STATION topics write it."""
        return self.name.lower()


_NEEDED = {
    "want-wave": Role.VIEW,
    "events-since": Role.VIEW,
    "look-back": Role.VIEW,
    "acknowledge": Role.OPERATE,
    "pause-sound": Role.OPERATE,
    "calibrate": Role.OPERATE,
    "standby": Role.OPERATE,
    "test-alert": Role.OPERATE,
}


def role_needed(action: str) -> Role:
    """The least role for an action; what is not named here sets limits or moves patients."""
    return _NEEDED.get(action, Role.CONFIGURE)
