"""The transport `log`: an alert leaves as one line of the program's log."""

from __future__ import annotations

import logging

from bedside.delivery.alert import Alert
from bedside.delivery.transport import Heard

_LOGGER = logging.getLogger("bedside.alert")


class LogTransport:
    """Writes each alert through the logger `bedside.alert`, at the level WARNING."""

    def start(self, heard: Heard) -> None:
        """Nothing to open: a log has no link that could be down."""

    def send(self, alert: Alert) -> None:
        """Write the alert's message."""
        _LOGGER.warning("%s", alert.message())

    def close(self) -> None:
        """Nothing to close."""
