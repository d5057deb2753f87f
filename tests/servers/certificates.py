"""Certificates of an authority of our own, for servers that are spoken to with TLS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and key, and whom to trust so that they hold; files all."""

    authority: Path
    certificate: Path
    key: Path


def certificate_for(host: str, folder: Path) -> Certificate:
    """A certificate for ``host`` by an authority of its own."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
    now = datetime.now(UTC)

    def begin(subject: x509.Name, own_key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .issuer_name(name)
            .subject_name(subject)
            .public_key(own_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority = begin(name, authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
    )
    made = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    for path, builder in ((made.authority, authority), (made.certificate, server)):
        path.write_bytes(builder.sign(authority_key, hashes.SHA256()).public_bytes(PEM))
    plain = serialization.NoEncryption()
    made.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
    return made
