"""The transport `webhook`: a signed POST, for a site with a server of its own.

The body is the alert as JSON. `Bedside-Signature` holds `t=<Unix seconds>,v1=<hex>`, where v1 is
the HMAC-SHA256 of `<Unix seconds>.<body>` under the shared key; `Idempotency-Key` is the same on
every attempt for one contact's turn. Any answer from 200 to 299 takes the alert; nothing else does.

Against a message that was overheard and is posted again, a receiver checks v1, refuses a time more
than five minutes away from its own, and answers an `Idempotency-Key` it has seen with 200 and does
nothing more.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any

from bedside.delivery.alert import Alert
from bedside.delivery.transport import Heard, LinkNews, payload
from bedside.errors import DeliveryError

TIMEOUT_S = 5.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signed alert goes to the configured address or nowhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Webhook:
    """Posts each alert to one address."""

    def __init__(self, url: str, key: bytes, timeout_s: float = TIMEOUT_S) -> None:
        """For an https address; plain http only on loopback. Raises `DeliveryError`."""
        parts = urllib.parse.urlsplit(url)
        self._host = parts.hostname or ""
        if not self._host or not (
            parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(self._host))
        ):
            raise DeliveryError("The webhook's address must begin with https://.")
        self._url = url
        self._key = key
        self._timeout_s = timeout_s
        self._heard: Heard = lambda news: None
        self._opener = urllib.request.build_opener(_NoRedirect)

    def start(self, heard: Heard) -> None:
        """Nothing to open: each alert opens a connection of its own."""
        self._heard = heard

    def send(self, alert: Alert) -> None:
        """Post the alert; raises `DeliveryError` unless the server takes it."""
        body = payload(alert)
        request = urllib.request.Request(
            self._url,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": f"{alert.alert_id}-{alert.contact}-{alert.round}",
                "Bedside-Signature": signature(body, self._key, int(time.time())),
            },
        )
        reason = ""
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                answer.read(0)
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"{self._host} answered {error.code} {error.reason}."
        except (OSError, HTTPException) as error:
            # The address may hold a token: only its host is ever shown.
            cause = getattr(error, "reason", error)
            reason = f"{self._host} cannot be reached ({cause or type(error).__name__})."
        self._heard(LinkNews(not reason, reason))
        if reason:
            raise DeliveryError(reason)

    def close(self) -> None:
        """Nothing to close; an attempt under way ends with its timeout."""


def signature(body: bytes, key: bytes, at_s: int) -> str:
    """The header `Bedside-Signature` of a body sent at a Unix time in seconds."""
    text = f"{at_s}.".encode() + body
    return f"t={at_s},v1={hmac.new(key, text, hashlib.sha256).hexdigest()}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
