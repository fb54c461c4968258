"""What a segment says in TLS: the records that end in it, named as the RFCs name them.

``TLS ServerHello, Certificate, ServerHelloDone``. Streams that do not begin with a TLS handshake
record have no such words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby

from harness.tcp.segment import Segment
from harness.tls.conversation import Conversation, conversations
from harness.tls.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Record,
)
from harness.tls.spoken import Spoken

FATAL = 2
ENCRYPTED = "encrypted record"


def tls_words(wire: Sequence[Segment]) -> dict[int, str]:
    """What ends in a segment, by its place in `wire`; also in one that was sent again."""
    found: dict[int, str] = {}
    for conversation in conversations(wire):
        for spoken in (conversation.client, conversation.server):
            found |= _words(conversation, spoken)
    return found


def _words(conversation: Conversation, spoken: Spoken) -> dict[int, str]:
    said = list(_said(conversation, spoken))
    ends = [record.end for record in spoken.records]
    found = {}
    for span in spoken.stream.spans:
        first, after = bisect_right(ends, span.start), bisect_right(ends, span.end)
        words = [word for words in said[first:after] for word in words]
        if words:
            found[span.position] = f"TLS {', '.join(_counted(words))}"
    return found


def _counted(words: list[str]) -> Iterator[str]:
    """The same several times is said once, with the number."""
    for word, same in groupby(words):
        count = len(list(same))
        if count == 1:
            yield word
        else:
            yield f"{count} {word}s" if word == ENCRYPTED else f"{word} ({count} records)"


def _said(conversation: Conversation, spoken: Spoken) -> Iterator[list[str]]:
    """For each record what it says; a handshake record the messages that end in it."""
    ending: dict[int, list[str]] = {}
    within: dict[int, str] = {}
    for message in spoken.messages:
        ending.setdefault(message.records[-1].start, []).append(message.name)
        within |= {record.start: message.name for record in message.records}
    alerts = {alert.record.start: alert for alert in spoken.alerts}
    for record in spoken.records:
        if record.start in ending:
            yield ending[record.start]
        elif record.start in alerts:
            alert = alerts[record.start]
            level = "" if alert.level == FATAL else f" ({alert.level_name})"
            yield [f"alert: {alert.name}{level}"]
        elif record.content_type == HANDSHAKE and not record.encrypted:
            yield [f"part of {within.get(record.start, 'a handshake message')}"]
        else:
            yield [_closed(record, in_1_3=conversation.in_1_3)]


def _closed(record: Record, *, in_1_3: bool) -> str:
    """What one can tell of a record that does not show what is in it.

    TLS 1.3 makes all its encrypted records look like application data (RFC 8446, section 5.2).
    """
    if record.content_type == APPLICATION_DATA:
        return ENCRYPTED if in_1_3 else "application data"
    if record.content_type == CHANGE_CIPHER_SPEC:
        return "ChangeCipherSpec"
    if record.content_type == HANDSHAKE:
        # Encrypted, and yet known: it is the first under new keys (RFC 5246, section 7.4.9).
        return "Finished" if record.number == 0 else "handshake message (encrypted)"
    if record.content_type == ALERT:
        return "alert (encrypted)" if record.encrypted else "alert"
    return record.name
