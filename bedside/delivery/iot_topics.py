"""What a monitor says on AWS IoT Core, and where: topics, last will and the limits of a publish."""

from __future__ import annotations

import json

from bedside.delivery.alert import MESSAGE_CHARACTERS, gsm_7
from bedside.delivery.transport import VERSION
from bedside.errors import DeliveryError

MOST_SLASHES = 7
MOST_TOPIC_BYTES = 256
MOST_PAYLOAD_BYTES = 128 * 1024
"""AWS IoT Core's limits; its client library lets larger ones out, which then end the connection."""


def alert_topic(thing: str) -> str:
    """Where alerts leave; the topic rules listen here."""
    return f"bedside/v1/thing/{thing}/alert"


def state_topic(thing: str) -> str:
    """Where the monitor says that it is there, and its last will that it is not."""
    return f"bedside/v1/thing/{thing}/state"


def acknowledgement_topic(thing: str) -> str:
    """Where acknowledgements from afar arrive."""
    return f"bedside/v1/thing/{thing}/acknowledge"


def state(thing: str, status: str) -> bytes:
    """`up`, `stopped`, or, as the last will, `down`, with words for a phone."""
    words = f"Bedside monitor {thing} went silent: nobody is being watched. Go and look."
    content = {"version": VERSION, "thing": thing, "status": status}
    if status == "down":
        content["sms"] = gsm_7(words)[:MESSAGE_CHARACTERS]
    return json.dumps(content).encode()


def check_publish(topic: str, payload: bytes) -> None:
    """Raise `DeliveryError` for what AWS IoT Core would not take."""
    if topic.count("/") > MOST_SLASHES or len(topic.encode()) > MOST_TOPIC_BYTES:
        raise DeliveryError(
            f"The topic {topic[:40]}… is too deep or too long for AWS IoT Core: shorten the"
            " thing's name."
        )
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise DeliveryError(
            f"A message of {len(payload)} bytes is more than AWS IoT Core takes"
            f" ({MOST_PAYLOAD_BYTES})."
        )
