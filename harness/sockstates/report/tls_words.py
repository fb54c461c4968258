"""What a segment says in TLS: the records that end in it, named as the RFCs name them.

``TLS ServerHello, Certificate, ServerHelloDone``. Streams that do not begin with a TLS handshake
record have no such words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from sockstates.report.tls_details import message_details
from sockstates.tcp.segment import Segment
from sockstates.tls.conversation import Conversation, conversations
from sockstates.tls.records import ENCRYPTED, HANDSHAKE, closed_name, is_record
from sockstates.tls.spoken import Spoken

FATAL = 2


class SaidInTls(NamedTuple):
    """What ends in a segment: the names of it, and what is in it, which begins with these names."""

    words: str
    details: str


def tls_words(wire: Sequence[Segment]) -> dict[int, SaidInTls]:
    """What ends in a segment, by its place in `wire`; also in one that was sent again."""
    found: dict[int, SaidInTls] = {}
    for conversation in conversations(wire):
        for spoken in (conversation.client, conversation.server):
            found |= _words(conversation, spoken)
    return found


def tls_problems(wire: Sequence[Segment]) -> list[str]:
    """Which directions of a TLS connection could not be read on, from where and why.

    That a capture ends within a record is none: so does every capture of a connection that lasts.
    """
    return [
        f"the TLS that {end.ip}.{end.port} sends cannot be read on: {spoken.problem}"
        for talk in conversations(wire)
        for end, spoken in ((talk.client_end, talk.client), (talk.server_end, talk.server))
        if spoken.problem and (spoken.stream.gap or _is_left(spoken))
    ]


def _is_left(spoken: Spoken) -> bool:
    """Whether something that is no record comes behind the last one."""
    end = spoken.records[-1].end if spoken.records else 0
    return not is_record(spoken.stream.data[end:])


def _words(conversation: Conversation, spoken: Spoken) -> dict[int, SaidInTls]:
    said = list(_said(conversation, spoken))
    ends = [record.end for record in spoken.records]
    details: dict[int, list[str]] = {}
    for message in spoken.messages:
        details.setdefault(message.records[-1].end, []).append(message_details(message))
    found = {}
    for span in spoken.stream.spans:
        first, after = bisect_right(ends, span.start), bisect_right(ends, span.end)
        words = [word for words in said[first:after] for word in words]
        if words:
            text = f"TLS {', '.join(_counted(words))}"
            told = [each for end in ends[first:after] for each in details.get(end, ()) if each]
            found[span.position] = SaidInTls(text, "; ".join([text, *told]))
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
            yield [f"alert {alert.name}{level}"]
        elif record.content_type == HANDSHAKE and not record.encrypted:
            yield [f"part of {within.get(record.start, 'a handshake message')}"]
        else:
            yield [closed_name(record, in_1_3=conversation.in_1_3)]
