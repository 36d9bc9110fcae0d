"""An acknowledgement from afar: signed, so that only a holder of the key can silence an alert.

It names one alert, and acknowledging an alert twice changes nothing: repeating a message that was
overheard has no effect.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from bedside.delivery.transport import VERSION, RemoteAcknowledgement

_ALERT_ID = re.compile(r"[0-9a-f]{8}")
_BY = re.compile(r"[^\x00-\x1f]{1,64}")


def signed(alert_id: str, by: str, thing: str, key: bytes) -> bytes:
    """The message with which `by` acknowledges an alert of the monitor `thing`."""
    content = {
        "version": VERSION,
        "alert": alert_id,
        "by": by,
        "signature": _signature(alert_id, by, thing, key),
    }
    return json.dumps(content).encode()


def verified(message: bytes, thing: str, key: bytes) -> RemoteAcknowledgement:
    """Who acknowledges what. Raises ValueError for whatever was not signed with the key."""
    content = json.loads(message)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError("not an acknowledgement of this version")
    alert_id, by, signature = (str(content.get(name)) for name in ("alert", "by", "signature"))
    if not _ALERT_ID.fullmatch(alert_id) or not _BY.fullmatch(by):
        raise ValueError("not an alert's id and a name")
    expected = _signature(alert_id, by, thing, key)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise ValueError("the signature does not fit")
    return RemoteAcknowledgement(alert_id, by)


def _signature(alert_id: str, by: str, thing: str, key: bytes) -> str:
    # JSON keeps the parts apart whatever they hold.
    signed_text = json.dumps([VERSION, thing, alert_id, by])
    return hmac.new(key, signed_text.encode(), hashlib.sha256).hexdigest()
