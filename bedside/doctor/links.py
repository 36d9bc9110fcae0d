"""The broker, its certificate, and what each node sends."""

from __future__ import annotations

import queue
import secrets
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from cryptography import x509

from bedside.delivery.check import Finding
from bedside.errors import LinkError
from bedside.events import LEAD_OFF, Batch, Flags
from bedside.node import link, wire
from bedside.settings import BrokerSettings

LISTENED_S = 3.0
SOON_DAYS = 30
FLAT_MV = 0.15
"""The smallest R waves that are looked for have 0.2 mV; noise alone has less than this."""


def broker(settings: BrokerSettings) -> list[Finding]:
    """Whether it answers and takes us, over TLS where it is not on this machine."""
    where = f"{settings.host}:{settings.port}"
    try:
        link.check(settings.address())
    except LinkError as error:
        return [Finding(False, str(error))]
    findings = [Finding(True, f"The broker at {where} takes us.")]
    if settings.ca_file is not None:
        findings.append(_certificate(settings))
    elif settings.host not in ("localhost", "127.0.0.1", "::1"):
        findings.append(
            Finding(False, f"What goes to {where} can be read on its way: set broker.ca_file.")
        )
    return findings


def _certificate(settings: BrokerSettings) -> Finding:
    context = ssl.create_default_context(cafile=settings.ca_file)
    try:
        with (
            socket.create_connection((settings.host, settings.port), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname=settings.host) as secured,
        ):
            der = secured.getpeercert(binary_form=True)
    except OSError as error:
        return Finding(False, f"The broker's certificate is not trusted: {error}.")
    assert der is not None
    ends = x509.load_der_x509_certificate(der).not_valid_after_utc
    days = (ends - datetime.now(UTC)).days
    words = f"The broker's certificate lasts {days} more days"
    if days < SOON_DAYS:
        return Finding(False, f"{words}: run sudo bedside broker setup.")
    return Finding(True, f"{words}.")


@dataclass(slots=True)
class _Heard:
    """The batches of a node, each with the monotonic time at which it came."""

    batches: list[Batch] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)


def nodes(settings: BrokerSettings, listened_s: float = LISTENED_S) -> list[Finding]:
    """What came from each node in a few seconds: rate, jitter, gaps and the signal itself."""
    heard: dict[str, _Heard] = defaultdict(_Heard)
    refused = 0
    messages: queue.Queue[tuple[float, str, bytes]] = queue.Queue()
    listening = link.Link(
        settings.address(),
        client_id=f"doctor-{secrets.token_hex(4)}",
        subscriptions=(wire.ecg_topic("+"),),
        on_message=lambda topic, payload: messages.put((time.monotonic(), topic, payload)),
    )
    listening.start()
    try:
        give_up_s = time.monotonic() + listened_s
        while (left_s := give_up_s - time.monotonic()) > 0:
            try:
                at_s, topic, payload = messages.get(timeout=left_s)
            except queue.Empty:
                break
            node = wire.node_of(topic)
            try:
                batch = wire.decode_batch(payload, "" if node is None else node[0], 0)
            except wire.WireError:
                refused += 1
                continue
            heard[batch.node].batches.append(batch)
            heard[batch.node].at_s.append(at_s)
    finally:
        listening.stop()
    findings = [_node(name, *_sorted(heard[name])) for name in sorted(heard)]
    if refused:
        findings.append(Finding(False, f"{refused} batches are not of this wire format."))
    return findings or [
        Finding(None, f"No node spoke within {listened_s:.0f} s: is one switched on?")
    ]


def _sorted(heard: _Heard) -> tuple[Sequence[Batch], Sequence[float]]:
    live = [
        (batch, at_s)
        for batch, at_s in zip(heard.batches, heard.at_s, strict=True)
        if not batch.flags.has(Flags.REPLAYED)
    ]
    return [batch for batch, _ in live], [at_s for _, at_s in live]


def _node(name: str, batches: Sequence[Batch], at_s: Sequence[float]) -> Finding:
    if not batches:
        return Finding(None, f"Node {name} sends only what it had kept.")
    last = batches[-1]
    missing = sum(
        after.first_sample - before.end_sample
        for before, after in pairwise(batches)
        if after.boot_id == before.boot_id
    )
    jitter_ms = 1000 * float(np.std(np.diff(at_s))) if len(at_s) > 2 else 0.0
    samples_mv = np.concatenate([batch.millivolts() for batch in batches])
    facts = f"Node {name}: {last.rate_hz:.2f} Hz, jitter {jitter_ms:.0f} ms"
    faults = []
    if missing:
        faults.append(f"{missing} samples are missing: check its Wi-Fi")
    if last.flags.has(LEAD_OFF):
        faults.append("an electrode is off: attach it")
    elif last.flags.has(Flags.SATURATED):
        faults.append("the signal is at its limit: check the front end's gain")
    elif np.ptp(samples_mv) < FLAT_MV:
        faults.append("the line is flat: check cable and electrodes")
    if faults:
        return Finding(False, f"{facts}; {'; '.join(faults)}.")
    return Finding(True, f"{facts}, {np.ptp(samples_mv):.1f} mV from peak to peak, no gap.")
