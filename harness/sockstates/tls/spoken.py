"""What one end of a TLS connection said: its records, and the messages and alerts in the clear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sockstates.tls.hello import is_1_3, read_server_hello
from sockstates.tls.messages import SERVER_HELLO, Message
from sockstates.tls.messages import cut as cut_messages
from sockstates.tls.octets import TlsError
from sockstates.tls.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, Alert, Record
from sockstates.tls.stream import Stream


@dataclass(frozen=True, slots=True)
class Spoken:
    """One direction.

    messages: handshake messages that are not encrypted. alerts: likewise. problem: why it was not
    read to its end, or not at all, in words; empty when all of it was.
    """

    stream: Stream
    records: tuple[Record, ...]
    messages: tuple[Message, ...]
    alerts: tuple[Alert, ...]
    problem: str = ""

    @property
    def encrypted(self) -> tuple[Record, ...]:
        """The records whose fragments are protected."""
        return tuple(record for record in self.records if record.encrypted)


def is_answered_with_1_3(records: Iterable[Record]) -> bool:
    """Whether a server's records begin with a ServerHello that chooses TLS 1.3."""
    messages, _ = cut_messages(records)
    hellos = [message for message in messages if message.kind == SERVER_HELLO]
    try:
        return any(is_1_3(read_server_hello(hello.body)) for hello in hellos[:1])
    except TlsError:
        return False


def understand(stream: Stream, records: list[Record], problem: str, *, in_1_3: bool) -> Spoken:
    """The records of a direction, and why there are no more, as what one end said.

    in_1_3: whether TLS 1.3 was chosen, in which ChangeCipherSpec means nothing.
    """
    marked = tuple(_marked_1_3(records) if in_1_3 else _marked(records))
    messages, torn = cut_messages(marked)
    alerts = tuple(
        Alert(record, *record.fragment[:2])
        for record in marked
        if record.content_type == ALERT and not record.encrypted and record.length >= 2
    )
    return Spoken(stream, marked, tuple(messages), alerts, problem or torn)


def _marked(records: Iterable[Record]) -> Iterator[Record]:
    """Protected is what comes after ChangeCipherSpec (RFC 5246, section 7.1)."""
    number, changed = 0, False
    for record in records:
        encrypted = changed or record.content_type == APPLICATION_DATA
        yield replace(record, encrypted=encrypted, number=number)
        number += 1
        if record.content_type == CHANGE_CIPHER_SPEC:
            number, changed = 0, True


def _marked_1_3(records: Iterable[Record]) -> Iterator[Record]:
    """Protected is what says it is application data (RFC 8446, section 5.2)."""
    clear = protected = 0
    for record in records:
        if record.content_type == APPLICATION_DATA:
            yield replace(record, encrypted=True, number=protected)
            protected += 1
        else:
            yield replace(record, number=clear)
            clear += 1
