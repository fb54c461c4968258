"""Endpoints as they were seen last: both ends of a connection beside each other."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from sockstates.evidence.expectations import owner_text, state_since
from sockstates.evidence.passages import stages
from sockstates.record.events import ProgramStarted, SocketSeen
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.report.clock import since_start
from sockstates.report.words import timer_text
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

MOST = 8
"""Connections shown; of more, those that have something to tell come first."""


def states_table(timeline: Timeline, *, width: int = 80, most: int = MOST) -> str:
    """Each connection's two ends, with owner, queues, timer and since when; then listeners.

    What is shown was so when its host was looked at last, of which the last line tells.
    """
    rows = sorted(_rows(timeline), key=lambda row: (_is_over(timeline, row), _is_listener(row)))
    if not rows:
        return "no TCP socket was ever seen"
    column = width // 2
    blocks = ["\n".join(_block(timeline, row, column)) for row in rows[:most]]
    if len(rows) > most:
        blocks.append(f"and {len(rows) - most} more, which are in the timeline")
    return "\n".join([*blocks, *_looked_at(timeline, width)])


def _looked_at(timeline: Timeline, width: int) -> list[str]:
    """When each host with a socket was looked at last: what is shown may be another by now."""
    hosts = {key[0] for key in timeline.witnessed()}
    moments = [
        f"{host} at {since_start(timeline, moment):.3f} s"
        for host, moment in timeline.sampled.items()
        if host in hosts
    ]
    return textwrap.wrap(f"looked at last: {', '.join(moments)}", width) if moments else []


Row = tuple[EndpointKey | None, EndpointKey | None]


def _rows(timeline: Timeline) -> Iterator[Row]:
    """Pairs of endpoints; the host that the lab names first, or the larger port, on the left."""
    keys = dict.fromkeys(timeline.witnessed())
    for key in list(keys):
        if key not in keys:
            continue
        del keys[key]
        peer = next((each for each in keys if _is_peer(timeline, key, each)), None)
        if peer is not None:
            del keys[peer]
        if _is_left(timeline, key):
            yield key, peer
        else:
            yield peer, key


def _is_peer(timeline: Timeline, key: EndpointKey, other: EndpointKey) -> bool:
    local, remote = timeline.rewritings.own(*key[1:])
    return remote is not None and (remote, local) == timeline.rewritings.own(*other[1:])


def _is_left(timeline: Timeline, key: EndpointKey) -> bool:
    host, local, remote = key
    if remote is None:
        return _position(timeline, host) == 0
    here, there = _position(timeline, host), _position(timeline, timeline.names.host(remote.ip))
    if here != there and "localhost" not in (timeline.names.host(local.ip),):
        return here < there
    return local.port > remote.port


def _position(timeline: Timeline, host: str) -> int:
    hosts = list(timeline.names.addresses)
    return hosts.index(host) if host in hosts else len(hosts)


def _is_over(timeline: Timeline, row: Row) -> bool:
    """Whether no end of it is left: shown last."""
    return all(_state(timeline, key) is State.CLOSED for key in row if key is not None)


def _state(timeline: Timeline, key: EndpointKey) -> State:
    """The state in which it was seen last, by whomever."""
    latest = timeline.latest(key)
    return latest.state if latest else stages(timeline, key)[-1].state


def _is_listener(row: Row) -> bool:
    return all(key is None or key[2] is None for key in row)


def _block(timeline: Timeline, row: Row, column: int) -> Iterator[str]:
    left, right = (list(_cell(timeline, key)) if key else [] for key in row)
    for texts in zip_longest(left, right, fillvalue=""):
        first, second = (text[: column - 2] for text in texts)
        yield f"{first:<{column}}{second}".rstrip()


def _cell(timeline: Timeline, key: EndpointKey) -> Iterator[str]:
    history = timeline.history(key)
    if not history:
        last = stages(timeline, key)[-1]
        yield f"{_name(timeline, key)}  {last.state}"
        yield f"  since {since_start(timeline, last.began[1]):.3f} s"
        yield f"  (no sample saw it: {last.witness})"
        return
    seen = history[-1]
    since = since_start(timeline, state_since(history).time)
    yield f"{_name(timeline, key)}  {seen.state}"
    yield f"  since {since:.3f} s"
    if seen.state is State.CLOSED:
        return
    yield f"  owner {_owner(timeline, seen)}"
    if seen.send_queue is not None and seen.state is State.LISTEN:
        yield f"  backlog {seen.send_queue}, {seen.receive_queue} to accept"
    elif seen.send_queue is not None:
        yield f"  queues {seen.send_queue} to send, {seen.receive_queue} to read"
    if seen.timer:
        yield f"  {timer_text(timeline, seen)}"
    if seen.retransmits:
        yield f"  {seen.retransmits} retransmissions"


def _name(timeline: Timeline, key: EndpointKey) -> str:
    host, local, _ = key
    return f"{host}.{local.port}" if _is_any(local) else timeline.names.endpoint(local)


def _is_any(local: Address) -> bool:
    return local.ip in ("0.0.0.0", "::")


def _owner(timeline: Timeline, seen: SocketSeen) -> str:
    """The owner, with the program's name where it is one that the scenario started."""
    for event in timeline.events:
        if isinstance(event, ProgramStarted) and (event.host, event.pid) == (seen.host, seen.owner):
            return f"{owner_text(seen.owner)} ({event.command[0]})"
    return owner_text(seen.owner)
