"""A certificate authority made on the spot: certificates that verify, and those that do not.

Everything lies in one folder, which is temporary. It never touches what the machine trusts: who is
to trust this authority is given its `certificate`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Identity:
    """What a server needs: its certificate and its private key, two files in PEM."""

    certificate: Path
    key: Path

    @property
    def der(self) -> bytes:
        """The certificate's bytes, as TLS sends them."""
        loaded = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return loaded.public_bytes(Encoding.DER)


class Authority:
    """Signs certificates. All its servers have one RSA key: making one takes a moment."""

    def __init__(self, folder: Path, name: str = "an authority made on the spot") -> None:
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._numbers = count(1)
        made = self._signed(self._name, self._key.public_key(), _now() - DAY, _now() + DAY, None)
        self.certificate = self._written("authority.pem", made.public_bytes(Encoding.PEM))
        """What a client has to trust: a file in PEM."""

    @cached_property
    def _server_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def issue(self, host: str, *, expired: bool = False) -> Identity:
        """A certificate for this host name; good from yesterday until tomorrow, or yesterday."""
        now = _now()
        begin, end = (now - 2 * DAY, now - DAY) if expired else (now - DAY, now + DAY)
        made = self._signed(_name(host), self._server_key.public_key(), begin, end, host)
        number = next(self._numbers)
        return Identity(
            self._written(f"{host}-{number}.pem", made.public_bytes(Encoding.PEM)),
            self._written(f"{host}-{number}.key", _private(self._server_key)),
        )

    def _signed(
        self,
        subject: x509.Name,
        key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
        begin: datetime.datetime,
        end: datetime.datetime,
        host: str | None,
    ) -> x509.Certificate:
        making = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        making = making.not_valid_before(begin).not_valid_after(end)
        ours = self._key.public_key()
        extensions: dict[x509.ExtensionType, bool] = {
            x509.BasicConstraints(ca=host is None, path_length=None): True,
            x509.SubjectKeyIdentifier.from_public_key(key): False,
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ours): False,
            _usage(signs_certificates=host is None): True,
        }
        if host is not None:
            extensions[x509.SubjectAlternativeName([x509.DNSName(host)])] = False
        for extension, critical in extensions.items():
            making = making.add_extension(extension, critical=critical)
        return making.sign(self._key, SHA256())

    def _written(self, name: str, octets: bytes) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(octets)
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What the key is for (RFC 5280, section 4.2.1.3); Python 3.13 refuses an authority without."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _private(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
