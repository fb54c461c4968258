"""What an entry of the catalogue says of itself, held against what its run has recorded.

The states of an end count for its host, whichever of its endpoints was in them, by any witness: the
kernel's tracepoint, psutil, sock_diag, and what must have lain between two samples. CLOSED is an
endpoint's end, or that a look found nothing while the other end existed. Pure.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from sockstates.catalogue.entries import Facts
from sockstates.evidence.expectations import endpoint_text, labelled
from sockstates.evidence.passages import Pattern, judge, narrowed, stages
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.record.events import CallBegan, CallEnded, ProgramWrote
from sockstates.record.kernel_events import StateChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.states import CLOSED, LISTEN, State

MOST_SHOWN = 8
"""Endpoints of a host that a message shows: the first and the last ones."""
SO_ERROR = f"{int(socket.SOL_SOCKET)}, {int(socket.SO_ERROR)}"
"""How a call of getsockopt(2) that asks for the socket's error begins to tell of itself."""


@dataclass(frozen=True, slots=True)
class Span:
    """A host had an endpoint in this state, from one moment (ns) to the other at the latest."""

    state: State
    start: float
    end: float


def hold(facts: Facts, timeline: Timeline, hosts: Sequence[str]) -> None:
    """Raise where the run does not show what the facts say.

    hosts: the lab's, in order. ExpectationFailed where something else was seen, Inconclusive where
    it may have passed unseen.
    """
    client, server = _ends(hosts)
    for end, host, wanted in (("client", client, facts.client), ("server", server, facts.server)):
        if wanted:
            _hold_states(facts, timeline, (end, host), wanted)
    for name in facts.errors:
        _hold_error(facts, timeline, name)


def _ends(hosts: Sequence[str]) -> tuple[str, str]:
    """The hosts that are meant by ``client`` and ``server``: those of that name, or the first."""
    client = "client" if "client" in hosts else next(each for each in hosts if each != "server")
    others = [each for each in hosts if each != client]
    return client, "server" if "server" in others else others[0]


def _hold_states(
    facts: Facts, timeline: Timeline, end: tuple[str, str], wanted: Sequence[State]
) -> None:
    called, host = end
    keys = _keys(timeline, host)
    spans = [*_spans(timeline, host, keys)]
    if _in_order(spans, wanted):
        return
    pattern = _pattern(spans, wanted)
    verdicts = [
        judge(narrowed(timeline, key, stages(timeline, key)), pattern) for key in keys if pattern
    ]
    if any(verdict.holds for verdict in verdicts):
        return
    possible = any(verdict.possible for verdict in verdicts)
    expected = ", then ".join(wanted)
    who = called if called == host else f"{called} ({host})"
    lines = [
        f"{_marker(facts)} says of the {who} what "
        + ("may have passed unseen, or not" if possible else "this run did not show"),
        "",
        *labelled("expected", expected),
        *_seen(timeline, keys),
    ]
    raise (Inconclusive if possible else ExpectationFailed)("\n".join(lines))


def _pattern(spans: Sequence[Span], wanted: Sequence[State]) -> Pattern:
    """The states of one endpoint in this order, others between; a listener is another one.

    Empty where one endpoint cannot show it: every one begins CLOSED.
    """
    own = [state for state in wanted if state is not LISTEN]
    if own[:1] == [CLOSED] or (len(own) < len(wanted) and not _in_order(spans, [LISTEN])):
        return []
    return [part for state in own for part in (state, ...)][:-1]


def _seen(timeline: Timeline, keys: Sequence[EndpointKey]) -> Iterator[str]:
    shown = [
        f"{endpoint_text(timeline, key)} {', '.join(each.state for each in stages(timeline, key))}"
        for key in keys
        if stages(timeline, key)
    ]
    if len(shown) > MOST_SHOWN:
        left = len(shown) - MOST_SHOWN
        shown[MOST_SHOWN // 2 : -MOST_SHOWN // 2] = [f"({left} more endpoints)"]
    for number, text in enumerate(shown or ["no endpoint at all"]):
        yield from labelled("" if number else "seen", text)


def _keys(timeline: Timeline, host: str) -> list[EndpointKey]:
    """Every endpoint of a host that any witness told of."""
    traced = (
        (event.host, event.local, event.remote)
        for event in timeline.events
        if isinstance(event, StateChanged)
    )
    told = [*timeline.endpoints(), *timeline.glanced_endpoints(), *traced]
    return [key for key in dict.fromkeys(told) if key[0] == host]


def _spans(timeline: Timeline, host: str, keys: Sequence[EndpointKey]) -> Iterator[Span]:
    for key in keys:
        found = stages(timeline, key)
        for number, (stage, after) in enumerate(pairwise([*found, None])):
            if stage is not None and (number or stage.state is not CLOSED):
                yield Span(stage.state, stage.began[1], after.began[1] if after else inf)
    yield from _absent(timeline, host, set(keys))


def _absent(timeline: Timeline, host: str, keys: set[EndpointKey]) -> Iterator[Span]:
    """Where one end of a connection was told of and a look found nothing at this host."""
    for key, known in _connections(timeline, host).items():
        began = min((stage.began[1] for stage in stages(timeline, key)), default=None)
        if began is None and timeline.sampled.get(host, 0) > known:
            yield Span(CLOSED, known, inf)
        elif key in keys and (history := timeline.history(key)) and history[0].not_before > known:
            yield Span(CLOSED, known, history[0].not_before)


def _connections(timeline: Timeline, host: str) -> dict[EndpointKey, int]:
    """Ends that the host has, or should have -> since when (ns) somebody knows of the connection.

    By the endpoints of other hosts, the calls of programs, and the segments on the wire.
    """
    own = timeline.names.addresses.get(host, ())
    told = [
        (event.local, event.remote, event.time)
        for event in timeline.events
        if isinstance(event, CallBegan) and event.local
    ]
    told += [(each.source, each.destination, each.time) for each in timeline.wire]
    for key in [*timeline.endpoints(), *timeline.glanced_endpoints()]:
        told += [(key[1], key[2], stage.began[1]) for stage in stages(timeline, key)[:1]]
    found: dict[EndpointKey, int] = {}
    for one, other, moment in told:
        for local, remote in ((one, other), (other, one)):
            if local is not None and remote is not None and local.ip in own and local.port:
                key = host, *timeline.rewritings.at(host, (local, remote), timeline.names)
                found[key] = min(moment, found.get(key, moment))
    return found


def _in_order(spans: Sequence[Span], wanted: Sequence[State]) -> bool:
    """Whether there are moments, none before the one before it, at which each state was there."""
    now = -inf
    for state in wanted:
        moments = [
            max(span.start, now)
            for span in spans
            if span.state is state and (span.start >= now or span.end > now)
        ]
        if not moments:
            return False
        now = min(moments)
    return True


def _hold_error(facts: Facts, timeline: Timeline, name: str) -> None:
    number = getattr(errno, name)
    returned = [*_errors_returned(timeline)]
    if any(each == number for _, each in returned) or _is_printed(timeline, number):
        return
    seen = [f"{call} {errno.errorcode.get(each, each)}" for call, each in returned]
    printed = any(isinstance(event, ProgramWrote) for event in timeline.events)
    lines = [
        f"{_marker(facts)} says that a program gets {name}, and in this run none did",
        "",
        *labelled(
            "expected", f"{name} ({os.strerror(number)}) from a call, or in the output of a program"
        ),
        *labelled("seen", ", ".join(dict.fromkeys(seen)) or "no call failed"),
    ]
    if printed:
        lines += labelled("", "and no program printed it")
    raise ExpectationFailed("\n".join(lines))


def _errors_returned(timeline: Timeline) -> Iterator[tuple[str, int]]:
    """``connect on client`` and the errno of every call that failed, or that told an error."""
    asked = {event.call: event.detail for event in timeline.events if isinstance(event, CallBegan)}
    for event in timeline.events:
        if not isinstance(event, CallEnded):
            continue
        if event.error:
            yield f"{event.name} on {event.host}", event.error
        elif f"{asked.get(event.call)},".startswith(f"{SO_ERROR},") and isinstance(
            event.result, int
        ):
            yield f"SO_ERROR on {event.host}", event.result


def _is_printed(timeline: Timeline, number: int) -> bool:
    """Whether a program's output has the errno: its name, its number, or what it means."""
    written: dict[tuple[str, int, str], bytes] = {}
    for event in timeline.events:
        if isinstance(event, ProgramWrote):
            key = event.host, event.program, event.stream
            written[key] = written.get(key, b"") + event.data
    name, meaning = errno.errorcode[number], re.escape(os.strerror(number))
    sought = re.compile(rf"\b{name}\b|{meaning}|\berrno[ =:]*{number}\b|\({number}:", re.IGNORECASE)
    return any(sought.search(text.decode(errors="replace")) for text in written.values())


def _marker(facts: Facts) -> str:
    return f"pytest.mark.phenomenon({', '.join(map(str, facts.numbers))})"
