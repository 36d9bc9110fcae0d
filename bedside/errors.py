"""The exceptions that a user may meet.

BedsideError            one sentence that says what to do; the command line exits with 2
├── SettingsError       the configuration
├── RecordError         a recording that cannot be read or written
├── ModelError          the autoencoder's file
├── LinkError           the broker
├── ProvisioningError   a node's credentials or its serial port
└── DeliveryError       an alert that could not be handed over
"""

from __future__ import annotations


class BedsideError(Exception):
    """A fault that its user can mend; its text is one sentence that says how."""


class SettingsError(BedsideError):
    """The configuration is not usable."""


class RecordError(BedsideError):
    """A recording cannot be read or written."""


class ModelError(BedsideError):
    """The autoencoder's file is missing, damaged or made for another window."""


class LinkError(BedsideError):
    """The broker cannot be reached or refuses us."""


class ProvisioningError(BedsideError):
    """A node's credentials are unfit, or could not be written to it."""


class DeliveryError(BedsideError):
    """An alert could not be handed to its transport."""
