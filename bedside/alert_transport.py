"""The way out of the building that the configuration names."""

from __future__ import annotations

from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.log_transport import LogTransport
from bedside.delivery.secret_file import read_secret
from bedside.delivery.transport import InOrder, Transport
from bedside.errors import SettingsError
from bedside.settings import AlertSettings, IotCoreSettings, TransportName, WebhookSettings


def alert_transport(alerts: AlertSettings) -> Transport:
    """The transports of the configuration, in its order. Raises BedsideError."""
    named: dict[str, Transport] = {name: _transport(name, alerts) for name in alerts.transports}
    return next(iter(named.values())) if len(named) == 1 else InOrder(named)


def _transport(name: TransportName, alerts: AlertSettings) -> Transport:
    match name:
        case "log":
            return LogTransport()
        case "webhook":
            return _webhook(alerts.webhook)
        case "iot-core":
            return _iot_core(alerts.iot_core)


def _webhook(webhook: WebhookSettings) -> Transport:
    from bedside.delivery.webhook import Webhook

    if not webhook.url:
        raise SettingsError("The transport webhook needs an address: set alerts.webhook.url.")
    return Webhook(webhook.url, read_secret(webhook.key_file))


def _iot_core(iot: IotCoreSettings) -> Transport:
    # The client library takes 0.2 s to import: only who uses it pays.
    from bedside.delivery.iot_core import IotCore

    key_file = iot.acknowledge_key_file
    return IotCore(iot_endpoint(iot), None if key_file is None else read_secret(key_file))


def iot_endpoint(iot: IotCoreSettings) -> IotEndpoint:
    """Where the transport `iot-core` connects. Raises SettingsError."""
    if not iot.endpoint:
        raise SettingsError(
            "The transport iot-core needs an endpoint: run bedside cloud provision and set"
            " alerts.iot_core.endpoint."
        )
    return IotEndpoint(
        iot.endpoint, iot.port, iot.thing, iot.certificate_file, iot.key_file, iot.ca_file
    )
