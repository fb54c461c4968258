"""What both ends of a TLS connection say to each other, as lines of a script, and the comparison.

    client: ClientHello
    server: ServerHello, Certificate, ServerHelloDone
    client: ClientKeyExchange, ChangeCipherSpec, Finished
    ...

Pure, and about the order alone: what stands in a message is asked of the conversation. A last line
``...`` lets anything follow; without it nothing more may have been said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Final

from sockstates.tls.conversation import Conversation
from sockstates.tls.records import HANDSHAKE, closed_name
from sockstates.tls.spoken import Spoken

SIDES: Final = ("client", "server")
ANYTHING_MORE: Final = "..."
EXAMPLE: Final = "client: ClientHello, or server: ServerHello, Certificate, ServerHelloDone"


@dataclass(frozen=True, slots=True)
class Said:
    """One message, alert or protected record, and whose it is."""

    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Script:
    """What is expected; `more`: whether anything may follow."""

    lines: tuple[Said, ...]
    more: bool

    def holds(self, said: tuple[Said, ...]) -> bool:
        """Whether this, and nothing else unless `more`, was said in this order."""
        return said[: len(self.lines)] == self.lines and (self.more or len(said) == len(self.lines))

    def difference(self, said: tuple[Said, ...]) -> str:
        """The first place at which the two part; empty where they do not."""
        for number, (expected, seen) in enumerate(zip_longest(self.lines, said), 1):
            if expected != seen and not (expected is None and self.more):
                return f"at number {number}: expected {_one(expected)}, seen {_one(seen)}"
        return ""


def parse_script(text: str) -> Script:
    """Lines of what each side says. Raises ValueError with the line that is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    more = lines[-1:] == [ANYTHING_MORE]
    found: list[Said] = []
    for line in lines[: len(lines) - more]:
        who, colon, what = line.partition(":")
        words = [word.strip() for word in what.split(",")]
        if who not in SIDES or not colon or not all(words):
            raise ValueError(f"{line!r} is not a line of a TLS exchange; write {EXAMPLE}")
        found += [Said(who, word) for word in words]
    return Script(tuple(found), more)


def script_text(said: tuple[Said, ...]) -> list[str]:
    """Lines as they are written: what one side says before the other does, on one."""
    return [
        f"{who}: {', '.join(each.what for each in run)}"
        for who, run in groupby(said, key=lambda each: each.who)
    ]


def exchange(conversation: Conversation) -> tuple[Said, ...]:
    """All that both said, in the order in which it was captured; `sees_tls` writes it so.

    Protected records are ``Finished`` for the first of a direction, ``application data``,
    ``alert (encrypted)``; in TLS 1.3, which hides what they are, all ``encrypted record``.
    """
    both = zip(SIDES, (conversation.client, conversation.server), strict=True)
    found = [
        (position, Said(who, what))
        for who, spoken in both
        for position, what in _said(spoken, in_1_3=conversation.in_1_3)
    ]
    return tuple(said for _, said in sorted(found, key=lambda each: each[0]))


def _said(spoken: Spoken, *, in_1_3: bool) -> Iterator[tuple[int, str]]:
    alerts = {alert.record.start: alert for alert in spoken.alerts}
    for record in spoken.records:
        if record.content_type == HANDSHAKE and not record.encrypted:
            ending = (each for each in spoken.messages if each.records[-1].start == record.start)
            yield from ((record.position, message.name) for message in ending)
        elif record.start in alerts:
            yield record.position, f"alert {alerts[record.start].name}"
        else:
            yield record.position, closed_name(record, in_1_3=in_1_3)


def _one(said: Said | None) -> str:
    return f"{said.who}: {said.what}" if said else "nothing more"
