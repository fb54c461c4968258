"""The messages of a handshake while they are clear (RFC 8446, section 4; RFC 5246, section 7.4).

A message may lie in several records, and a record may hold several messages. Messages are cut out
here with their exact bytes, as a transcript needs them; of their bodies only that is read which
is the same for every key exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sockstates.tls.hello import RETRY
from sockstates.tls.names import MESSAGES
from sockstates.tls.octets import Octets
from sockstates.tls.records import HANDSHAKE, Record

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
CLIENT_KEY_EXCHANGE: Final = 16
_HEADER: Final = 4


@dataclass(frozen=True, slots=True)
class Message:
    """A handshake message.

    raw: its bytes with the header of four, as they are hashed. records: those it lies in.
    """

    kind: int
    raw: bytes
    records: tuple[Record, ...]

    @property
    def body(self) -> bytes:
        """Without type and length."""
        return self.raw[_HEADER:]

    @property
    def name(self) -> str:
        """``ClientHello``; ``handshake message 99`` for one without a name.

        A ServerHello with the random that says so is a ``HelloRetryRequest`` (RFC 8446, 4.1.3).
        """
        if self.kind == SERVER_HELLO and self.body[2:34] == RETRY:
            return "HelloRetryRequest"
        return MESSAGES.get(self.kind, f"handshake message {self.kind}")

    @property
    def time(self) -> int:
        """When it and all before it had been captured (ns), so that it could be read."""
        return self.records[-1].time

    @property
    def position(self) -> int:
        """The place, in what was given, of the segment with which that was so."""
        return self.records[-1].position


def cut(records: Iterable[Record]) -> tuple[list[Message], str]:
    """The messages in the clear handshake records of one direction, and why the last one is torn.

    A message is torn where another sort of record comes within it (RFC 8446, section 5.1, forbids
    that), or none comes; the reason is empty otherwise.
    """
    found: list[Message] = []
    data, used = bytearray(), list[Record]()
    for record in records:
        if record.content_type != HANDSHAKE or record.encrypted:
            if data:
                return found, _torn(data, f"a record of {record.name} comes in its middle")
            continue
        data += record.fragment
        used.append(record)
        while len(data) >= _HEADER and len(data) >= _length(data):
            raw = bytes(data[: _length(data)])
            del data[: len(raw)]
            found.append(Message(raw[0], raw, tuple(used)))
            used = [record] if data else []
    return found, _torn(data, "its rest is not in the capture") if data else ""


def _length(data: bytes | bytearray) -> int:
    return _HEADER + int.from_bytes(data[1:_HEADER], "big")


def _torn(data: bytes | bytearray, why: str) -> str:
    what = MESSAGES.get(data[0], f"handshake message {data[0]}")
    promised = f" of {_length(data)}" if len(data) >= _HEADER else ""
    return f"{what} is cut off after {len(data)}{promised} bytes: {why}"


def read_certificates(body: bytes) -> tuple[bytes, ...]:
    """Each certificate's DER bytes, the sender's own first (RFC 5246, section 7.4.2).

    For TLS 1.2 and before; in TLS 1.3 the message is encrypted. Raises TlsError.
    """
    octets = Octets(body, "Certificate")
    listed = octets.parts(3, "certificate_list")
    octets.end()
    found = []
    while listed.left:
        found.append(listed.vector(3, "a certificate"))
    return tuple(found)


def read_encrypted_premaster(body: bytes) -> bytes:
    """The premaster secret as RSA encrypted it (RFC 5246, section 7.4.7.1). Raises TlsError."""
    octets = Octets(body, "ClientKeyExchange")
    secret = octets.vector(2, "the encrypted premaster secret")
    octets.end()
    return secret
