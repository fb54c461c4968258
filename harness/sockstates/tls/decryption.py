"""What TLS 1.2 with RSA key exchange has encrypted, from the capture and the server's key alone.

The client has sent the premaster secret, encrypted with the public key of the server's certificate:
whoever has the private one, then or years later, reads all of it. Where nothing of the sort was
sent (a Diffie-Hellman key exchange, TLS 1.3, a resumed session) it cannot be done, and the error
says why. Nothing is guessed, and no program's key log is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from sockstates.tls.conversation import Conversation
from sockstates.tls.hello import is_1_3
from sockstates.tls.keys import (
    PREMASTER_SECRET_LENGTH,
    SUITES,
    DirectionKeys,
    Suite,
    extended_master_secret,
    key_block,
    master_secret,
)
from sockstates.tls.octets import NotSeen, TlsError
from sockstates.tls.protection import NotAuthentic, Protection
from sockstates.tls.records import APPLICATION_DATA, Record
from sockstates.tls.spoken import Spoken

HELLO_REQUEST: Final = 0
"""The one handshake message that no transcript has (RFC 5246, section 7.4.1.1)."""
KEY_LOG: Final = (
    "Its programs can tell the keys themselves: SSLKEYLOGFILE=FILE in their environment, and "
    "Wireshark reads FILE"
)


class CannotDecrypt(TlsError):
    """The capture and the private key do not give the keys; the message says why."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A record and what was protected in it."""

    record: Record
    content: bytes


@dataclass(frozen=True)
class Decrypted:
    """The secrets of a connection, and with them what was encrypted.

    premaster: what the client sent, encrypted. extended: whether the master secret was derived
    from it as RFC 7627 says, instead of RFC 5246.
    """

    conversation: Conversation
    suite: Suite
    premaster: bytes

    @property
    def client_random(self) -> bytes:
        """One of the three random values; the premaster secret is the client's other one."""
        return self.conversation.client_hello.random

    @property
    def server_random(self) -> bytes:
        """The one of the server's."""
        return self.conversation.server_hello.random

    @property
    def extended(self) -> bool:
        """Whether both hellos have the extension extended_master_secret (RFC 7627)."""
        talk = self.conversation
        return talk.client_hello.extended_master_secret and talk.server_hello.extended_master_secret

    @cached_property
    def master(self) -> bytes:
        """The master secret, as both ends have derived it."""
        return self.extended_master if self.extended else self.master_of_randoms

    @property
    def master_of_randoms(self) -> bytes:
        """The master secret of the three random values, whether it is in use or not."""
        return master_secret(self.suite, self.premaster, self.client_random, self.server_random)

    @property
    def extended_master(self) -> bytes:
        """The master secret of the premaster secret and the handshake, in use or not."""
        messages = [each for each in self.conversation.messages if each.kind != HELLO_REQUEST]
        end = messages.index(self.conversation.client_key_exchange) + 1
        said = b"".join(message.raw for message in messages[:end])
        return extended_master_secret(self.suite, self.premaster, said)

    @cached_property
    def keys(self) -> tuple[DirectionKeys, DirectionKeys]:
        """What the client and what the server encrypts with."""
        return key_block(self.suite, self.master, self.client_random, self.server_random)

    @property
    def key_log_line(self) -> str:
        """The line that a program writes for this connection into its SSLKEYLOGFILE."""
        return f"CLIENT_RANDOM {self.client_random.hex()} {self.master.hex()}"

    @cached_property
    def client_records(self) -> tuple[Plain, ...]:
        """What the client encrypted, from its Finished on. Raises CannotDecrypt."""
        return self._undone(self.conversation.client, self.keys[0], "client")

    @cached_property
    def server_records(self) -> tuple[Plain, ...]:
        """What the server encrypted, from its Finished on. Raises CannotDecrypt."""
        return self._undone(self.conversation.server, self.keys[1], "server")

    @property
    def client_data(self) -> bytes:
        """What the client's program wrote, as far as it was captured. Raises CannotDecrypt."""
        return _data(self.client_records)

    @property
    def server_data(self) -> bytes:
        """What the server's program wrote, as far as it was captured. Raises CannotDecrypt."""
        return _data(self.server_records)

    def _undone(self, spoken: Spoken, keys: DirectionKeys, who: str) -> tuple[Plain, ...]:
        hellos = self.conversation.client_hello, self.conversation.server_hello
        protection = Protection(
            self.suite, keys, encrypt_then_mac=all(each.encrypt_then_mac for each in hellos)
        )
        found = []
        for record in spoken.encrypted:
            try:
                found.append(Plain(record, protection.undo(record)))
            except NotAuthentic as reason:
                raise CannotDecrypt(
                    f"record {record.number} that the {who} encrypted cannot be read: {reason}. It "
                    "was changed on its way, or the keys were changed (a renegotiation)"
                ) from None
        return tuple(found)


def decrypt(conversation: Conversation, private_key: Path) -> Decrypted:
    """The connection's secrets, with the private key (PEM) of the server's certificate.

    Raises CannotDecrypt when capture and key do not give them, OSError.
    """
    key = _read_key(private_key)
    try:
        suite = _suite(conversation)
        certificate = load_der_x509_certificate(conversation.certificates[0])
        fits = certificate.public_key() == key.public_key()
        encrypted = conversation.encrypted_premaster
    except NotSeen as missing:
        raise CannotDecrypt(
            f"the handshake is not whole in the capture: {missing}. Capture from the connection's "
            "beginning"
        ) from None
    except (IndexError, ValueError, UnsupportedAlgorithm) as error:
        raise CannotDecrypt(f"the server's certificate cannot be read: {error}") from None
    if not fits:
        raise CannotDecrypt(
            f"{private_key} does not fit the certificate that the server has shown: it is for "
            f"{certificate.subject.rfc4514_string()}, and another public key is in it. Give the "
            "private key that the server has been started with"
        )
    return Decrypted(conversation, suite, _premaster(conversation, key, encrypted))


def _read_key(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CannotDecrypt(
            f"{path} is not a private key in PEM that can be read without a password: {error}"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise CannotDecrypt(f"{path} is no RSA key: nothing can have been encrypted for it")
    return key


def _suite(conversation: Conversation) -> Suite:
    offer, answer = conversation.client_hello, conversation.server_hello
    if is_1_3(answer):
        raise CannotDecrypt(
            "TLS 1.3 was chosen: no secret is sent that a certificate's key could decrypt (RFC "
            f"8446, section 1.2). {KEY_LOG}"
        )
    if answer.session_id and answer.session_id == offer.session_id:
        raise CannotDecrypt(
            "the session was resumed: its master secret is that of an earlier connection, and no "
            f"premaster secret was sent in this one. Give the capture of the first one. {KEY_LOG}"
        )
    if answer.cipher_suite not in SUITES:
        raise CannotDecrypt(
            f"{answer.suite_name} was chosen; what can be decrypted with the server's key is "
            f"{', '.join(each.name for each in SUITES.values())}. {KEY_LOG}"
        )
    return SUITES[answer.cipher_suite]


def _premaster(conversation: Conversation, key: RSAPrivateKey, encrypted: bytes) -> bytes:
    """RFC 5246, section 7.4.7.1. It begins with the version that the client had offered."""
    version = conversation.client_hello.version.to_bytes(2, "big")
    try:
        premaster = key.decrypt(encrypted, PKCS1v15())
    except ValueError:
        premaster = b""
    # A library that does not tell wrong padding gives random bytes in its place.
    if len(premaster) != PREMASTER_SECRET_LENGTH or not premaster.startswith(version):
        raise CannotDecrypt(
            "what the client sent in ClientKeyExchange is no premaster secret that was encrypted "
            "for this key: it was changed on its way"
        )
    return premaster


def _data(records: tuple[Plain, ...]) -> bytes:
    data = [each.content for each in records if each.record.content_type == APPLICATION_DATA]
    return b"".join(data)
