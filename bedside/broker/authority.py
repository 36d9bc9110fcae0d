"""A small certificate authority of one's own: it issues the broker's certificate and renews it.

Keys are ECDSA P-256, which a node's TLS handles quickly. The authority lives for twenty years,
because every node and screen carries its certificate; the broker's own is renewed in its last
sixty days.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bedside.errors import SettingsError
from bedside.private_file import write_private

AUTHORITY_LIFE = timedelta(days=20 * 365)
BROKER_LIFE = timedelta(days=397)
RENEWED_WITHIN = timedelta(days=60)
_SETTLING = timedelta(days=1)
"""A certificate is valid from a day ago, for a device whose clock is a little late."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority whose files are `ca.pem` and `ca.key` in a folder."""

    folder: Path

    @property
    def certificate_file(self) -> Path:
        """What nodes, stations and screens are given."""
        return self.folder / "ca.pem"

    @property
    def key_file(self) -> Path:
        """What never leaves this machine."""
        return self.folder / "ca.key"

    def make(self, now: datetime | None = None) -> bool:
        """Make it unless it is there; returns whether it was made. Raises SettingsError."""
        if self.key_file.exists() and self.certificate_file.exists():
            self._certificate()
            return False
        if self.key_file.exists() or self.certificate_file.exists():
            raise SettingsError(
                f"Only one of {self.certificate_file} and {self.key_file} is there: restore the "
                "other from a backup, or delete both and give every node and screen the new one."
            )
        now = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bedside authority")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SETTLING)
            .not_valid_after(now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        write_private(self.key_file, _pem(key))
        _write_public(self.certificate_file, certificate)
        return True

    def issue_for_broker(
        self,
        certificate_file: Path,
        key_file: Path,
        hosts: Sequence[str],
        now: datetime | None = None,
    ) -> bool:
        """A certificate and key for a broker under these names and addresses.

        Returns whether one was issued: one that names them all, is this authority's and has more
        than sixty days to live is kept. Raises SettingsError where the authority cannot be read.
        """
        now = now or datetime.now(UTC)
        authority = self._certificate()
        if _serves(certificate_file, key_file, authority, hosts, now):
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SETTLING)
            .not_valid_after(min(now + BROKER_LIFE, authority.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key().public_key()),
                critical=False,
            )
            .sign(self._key(), hashes.SHA256())
        )
        write_private(key_file, _pem(key))
        _write_public(certificate_file, certificate)
        return True

    def _certificate(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"The authority {self.certificate_file} cannot be read: restore it from a backup."
            ) from error

    def _key(self) -> ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(self.key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"The authority's key {self.key_file} cannot be read: run this as its owner, or "
                "restore it from a backup."
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SettingsError(f"{self.key_file} is no ECDSA key: restore it from a backup.")
        return key


def expires(certificate_file: Path) -> datetime:
    """When a certificate ends. Raises SettingsError where it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The certificate {certificate_file} cannot be read: run bedside broker setup."
        ) from error
    return certificate.not_valid_after_utc


def _serves(
    certificate_file: Path,
    key_file: Path,
    authority: x509.Certificate,
    hosts: Sequence[str],
    now: datetime,
) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and set(names) == {_general_name(host) for host in hosts}
        and certificate.not_valid_after_utc - now > RENEWED_WITHIN
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_public(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o644)  # whatever the caller's umask: the broker's own user reads it, too


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
