"""The transport `log`: an alert leaves as one line of the program's log."""

from __future__ import annotations

import logging

from bedside.delivery.alert import Alert

_LOGGER = logging.getLogger("bedside.alert")


class LogTransport:
    """Writes each alert through the logger `bedside.alert`, at the level WARNING."""

    def send(self, alert: Alert) -> None:
        """Write the alert's message."""
        _LOGGER.warning("%s", alert.message())
