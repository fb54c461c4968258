"""TLS records (RFC 8446, section 5.1; RFC 5246, section 6.2.1) cut out of a stream.

What a record protects stays closed. Nothing here follows the handshake; see `messages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sockstates.tcp.segment import Segment
from sockstates.tls.names import ALERTS, CONTENT_TYPES, LEVELS
from sockstates.tls.stream import Piece, Stream

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23
ENCRYPTED: Final = "encrypted record"
"""What TLS 1.3 shows of everything that it encrypts."""
HEADER: Final = 5
"""Octets before the fragment: content type, version, length."""
LARGEST: Final = 2**14 + 2048
"""Octets of a fragment at most (RFC 5246, section 6.2.3; TLS 1.3 allows fewer)."""
MAJOR: Final = 3
LATEST: Final = 4
"""The bytes of every version from SSL 3.0 to TLS 1.3: 3, and this at most."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    time: when it and all before it had been captured (ns), so that it could be read; position: the
    place, in what was given, of the segment with which that was so. version: the one in the record,
    0x0303 for TLS 1.2 and 1.3 alike. start: its first byte in the stream. segments: those that
    carried it, the one with its first byte first. encrypted: whether its fragment is protected.
    number: the sequence number that it has under its direction's keys (RFC 5246, section 6.1): from
    0 after each ChangeCipherSpec. In TLS 1.3, where only who has the keys sees them change, from 0
    at the first protected record: less the number of its handshake records, for what comes after
    Finished.
    """

    time: int
    position: int
    content_type: int
    version: int
    fragment: bytes
    start: int
    segments: tuple[Segment, ...]
    encrypted: bool = False
    number: int = 0

    @property
    def length(self) -> int:
        """Octets of the fragment."""
        return len(self.fragment)

    @property
    def end(self) -> int:
        """The byte of the stream after its last one."""
        return self.start + HEADER + len(self.fragment)

    @property
    def header(self) -> bytes:
        """Its first five bytes as they were on the wire: what TLS 1.3 authenticates with it."""
        kind, version = self.content_type.to_bytes(1, "big"), self.version.to_bytes(2, "big")
        return kind + version + len(self.fragment).to_bytes(2, "big")

    @property
    def name(self) -> str:
        """What sort of record it is: ``alert``, ``application_data`` (RFC 8446, appendix B.1)."""
        return CONTENT_TYPES.get(self.content_type, f"content type {self.content_type}")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert in the clear (RFC 8446, section 6)."""

    record: Record
    level: int
    description: int

    @property
    def name(self) -> str:
        """``unknown_ca``; a number where the description has no name."""
        return ALERTS.get(self.description, str(self.description))

    @property
    def level_name(self) -> str:
        """``warning`` or ``fatal``; a number where it is neither."""
        return LEVELS.get(self.level, str(self.level))


def is_record(header: bytes) -> bool:
    """Whether these bytes, as many as there are, can begin a record."""
    kind, major, minor = header[:1], header[1:2], header[2:3]
    return (
        (not kind or kind[0] in CONTENT_TYPES)
        and (not major or major[0] == MAJOR)
        and (not minor or minor[0] <= LATEST)
    )


def begins_handshake(data: bytes) -> bool:
    """Whether a stream begins with a handshake record that holds a ClientHello or ServerHello.

    The first six bytes say it; of fewer bytes nothing is said.
    """
    return (
        len(data) > HEADER and data[0] == HANDSHAKE and is_record(data) and data[HEADER] in (1, 2)
    )


def cut(stream: Stream) -> tuple[list[Record], str]:
    """The records of a stream, none yet said to be protected, and why there are no more.

    The reason is empty where the stream ends with a record.
    """
    data, here = stream.data, 0
    found: list[Record] = []
    last: Piece | None = None
    while here < len(data):
        header = data[here : here + HEADER]
        length = int.from_bytes(header[3:], "big")
        end = here + HEADER + length
        problem = _problem(stream, here, header, length)
        if problem:
            return found, problem
        pieces = stream.carriers(here, end)
        last = max(pieces if last is None else (last, *pieces), key=lambda each: each.position)
        segments = tuple(piece.segment for piece in pieces)
        version = int.from_bytes(header[1:3], "big")
        fragment = data[here + HEADER : end]
        time, position = last.segment.time, last.position
        found.append(Record(time, position, header[0], version, fragment, here, segments))
        here = end
    return found, stream.gap


def _problem(stream: Stream, here: int, header: bytes, length: int) -> str:
    """Why no whole record lies at byte `here`; empty where one does."""
    where = f"byte {here} of the stream"
    if not is_record(header):
        return f"no TLS record begins at {where}: {header.hex(' ')}"
    if len(header) == HEADER and length > LARGEST:
        return f"the record at {where} says it has {length} bytes; {LARGEST} are the most"
    had = len(stream.data) - here
    if len(header) == HEADER and had >= HEADER + length:
        return ""
    text = f"the record at {where} is cut off: {had} of its bytes are there"
    text += f", of {HEADER + length}" if len(header) == HEADER else ""
    return f"{text}; {stream.gap}" if stream.gap else text


def closed_name(record: Record, *, in_1_3: bool) -> str:
    """What one can tell of a record that does not show what is in it.

    TLS 1.3 makes all its encrypted records look like application data (RFC 8446, section 5.2).
    """
    if record.content_type == APPLICATION_DATA:
        return ENCRYPTED if in_1_3 else "application data"
    if record.content_type == CHANGE_CIPHER_SPEC:
        return "ChangeCipherSpec"
    if record.content_type == HANDSHAKE and record.number == 0:
        # Encrypted, and yet known: it is the first under new keys (RFC 5246, section 7.4.9).
        return "Finished"
    name = "handshake message" if record.content_type == HANDSHAKE else record.name
    return f"{name} (encrypted)" if record.encrypted else name
