"""Why no alert arrives: questions that are asked in parallel and in time, and our own files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.secret_file import check_secret_file
from bedside.errors import DeliveryError

_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence; `ok` False where something must be mended, None where it is not known."""

    ok: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something to find out; `unanswered` is what its silence means."""

    ask: Callable[[], list[Finding]]
    unanswered: Finding


def answers(questions: Sequence[Question], within_s: float) -> list[Finding]:
    """What is found, in the order of the questions, none of which is waited for any longer.

    A name server can keep a connection waiting for much longer than any timeout of its own.
    """
    found: list[list[Finding]] = [[] for _ in questions]
    asking = [
        threading.Thread(target=lambda i=i, each=each: found[i].extend(each.ask()), daemon=True)
        for i, each in enumerate(questions)
    ]
    deadline_s = time.monotonic() + within_s
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    return [
        finding
        for findings, question in zip(found, questions, strict=True)
        for finding in findings or [question.unanswered]
    ]


def certificate_faults(certificate_file: Path, key_file: Path) -> list[Finding]:
    """What is wrong with the files of the link; nothing where they fit and are valid."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        check_secret_file(key_file)
    except DeliveryError as error:
        return [Finding(False, str(error))]
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except OSError as error:
        sentence = f"The certificate {certificate_file} cannot be read ({error.strerror})"
        return [Finding(False, f"{sentence}: run bedside cloud provision.")]
    except ValueError:
        return [Finding(False, f"{certificate_file} is not a certificate: provision it again.")]
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return [Finding(False, f"{key_file} is not a private key: provision it again.")]
    if key.public_key() != certificate.public_key():
        return [
            Finding(
                False,
                f"The key {key_file} does not fit the certificate {certificate_file}: provision"
                " the certificate again.",
            )
        ]
    now = datetime.now(UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return [
            Finding(
                False,
                f"The certificate is valid only from {begins:%Y-%m-%d %H:%M} UTC, and this"
                f" machine's clock says {now:%Y-%m-%d %H:%M} UTC: set the clock.",
            )
        ]
    if now > ends:
        return [
            Finding(
                False,
                f"The certificate expired on {ends:%Y-%m-%d}, if this machine's clock is right"
                f" ({now:%Y-%m-%d}): run bedside cloud provision.",
            )
        ]
    return []


def files(endpoint: IotEndpoint) -> list[Finding]:
    """Key and certificate: there, private, fitting and valid."""
    from cryptography import x509

    faults = certificate_faults(endpoint.certificate_file, endpoint.key_file)
    if faults:
        return faults
    certificate = x509.load_pem_x509_certificate(endpoint.certificate_file.read_bytes())
    ends = certificate.not_valid_after_utc
    if ends - datetime.now(UTC) < _SOON:
        return [Finding(True, f"Key and certificate fit; the certificate expires {ends:%Y-%m-%d}.")]
    return [Finding(True, "Key and certificate fit and are valid.")]
