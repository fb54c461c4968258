"""The sockets of a host at one moment of a timeline, and what of them cannot be told.

Samples lie apart: what a sample saw was so until the last look that found it unchanged. Between
that look and the one that saw something else nothing is known, and nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sockstates.record.events import NANOSECONDS, HostReady, ProcessSeen, SocketSeen
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.states import State


class MomentNotRecorded(ValueError):
    """There is no such host, or nobody looked at its sockets then; the message says which."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """An endpoint was in the one state when it was looked at before, then in the other (ns)."""

    key: EndpointKey
    before: State
    looked: int
    after: State
    seen: int


@dataclass(frozen=True, slots=True)
class SocketsAt:
    """What a host had at a moment (ns): what is certain, what is not, and who had it open."""

    host: str
    moment: int
    certain: tuple[SocketSeen, ...]
    unsure: tuple[Unsure, ...]
    commands: dict[int, tuple[str, ...]]
    """By process: the words of its command line."""


def sockets_at(timeline: Timeline, host: str, moment: int | None = None) -> SocketsAt:
    """The host's sockets at a moment (ns); by default when it was looked at last.

    Raises MomentNotRecorded.
    """
    first, last = _looked_at(timeline, host)
    when = last if moment is None else moment
    if not first <= when <= last:
        origin = timeline.beginning()
        spans = [f"{(each - origin) / NANOSECONDS:.6f}" for each in (first, last, when)]
        raise MomentNotRecorded(
            f"the sockets of {host!r} were looked at from {spans[0]} s to {spans[1]} s, "
            f"not at {spans[2]} s"
        )
    certain: list[SocketSeen] = []
    unsure: list[Unsure] = []
    for key in _endpoints(timeline, host):
        doubt = _sampled_apart(timeline, key, when) or _glanced_otherwise(timeline, key, when)
        seen = _in_force(timeline, key, when)
        if doubt is not None:
            unsure.append(doubt)
        elif seen is not None and seen.state is not State.CLOSED:
            certain.append(seen)
    return SocketsAt(host, when, tuple(certain), tuple(unsure), _commands(timeline, host, when))


def last_certain(timeline: Timeline, host: str, start: int, end: int) -> int:
    """The last moment from `start` to `end` (ns) at which all sockets are certain; `end` if none.

    Never after the host was looked at last. Raises MomentNotRecorded.
    """
    latest = min(end, _looked_at(timeline, host)[1])
    moment = latest
    while moment >= start:
        unsure = sockets_at(timeline, host, moment).unsure
        if not unsure:
            return moment
        moment = min(*(each.looked for each in unsure), moment - 1)
    return latest


def _looked_at(timeline: Timeline, host: str) -> tuple[int, int]:
    """From when until when the host's sockets were watched (ns)."""
    ready = {event.host: event.time for event in timeline.events if isinstance(event, HostReady)}
    if host not in ready:
        known = f"its hosts are {', '.join(ready)}" if ready else "no lab recorded it"
        raise MomentNotRecorded(f"there is no host {host!r} in this timeline: {known}")
    if host not in timeline.sampled:
        raise MomentNotRecorded(f"the sockets of {host!r} were never looked at")
    return ready[host], timeline.sampled[host]


def _endpoints(timeline: Timeline, host: str) -> list[EndpointKey]:
    every = dict.fromkeys([*timeline.endpoints(), *timeline.glanced_endpoints()])
    return [one for key in every if key[0] == host for one in timeline.sockets_at(key)]


def _in_force(timeline: Timeline, key: EndpointKey, moment: int) -> SocketSeen | None:
    """What had been seen of the endpoint last."""
    until = [seen for seen in timeline.history(key) if seen.time <= moment]
    return until[-1] if until else None


def _sampled_apart(timeline: Timeline, key: EndpointKey, moment: int) -> Unsure | None:
    """The two samples between which the moment lies, when they differ."""
    coming = next((seen for seen in timeline.history(key) if seen.time > moment), None)
    if coming is None or coming.not_before >= moment:
        return None
    seen = _in_force(timeline, key, moment)
    if seen is not None and _told(seen) == _told(coming):
        return None
    before = seen.state if seen else State.CLOSED
    looked = max(coming.not_before, seen.time if seen else 0)
    return Unsure(key, before, looked, coming.state, coming.time)


def _told(seen: SocketSeen) -> tuple[object, ...]:
    """What a listing tells of a socket: not its timer."""
    return seen.state, seen.receive_queue, seen.send_queue, seen.owner, seen.first_owner


def _glanced_otherwise(timeline: Timeline, key: EndpointKey, moment: int) -> Unsure | None:
    """What sock_diag alone showed then, when it is not what the samples say."""
    glances = [each for each in timeline.glances(key) if each.time <= moment]
    seen = _in_force(timeline, key, moment)
    sampled = seen.state if seen else State.CLOSED
    if not glances or glances[-1].state is sampled:
        return None
    looked = seen.time if seen else glances[-1].not_before
    return Unsure(key, sampled, looked, glances[-1].state, glances[-1].time)


def _commands(timeline: Timeline, host: str, moment: int) -> dict[int, tuple[str, ...]]:
    return {
        event.pid: event.command
        for event in timeline.events
        if isinstance(event, ProcessSeen) and event.host == host and event.time <= moment
    }
