"""Holds an endpoint's repetitions and its giving up against what the predictor says of them.

What the predictor is told comes from the lab: the host's settings, the socket's options, the
kernel, the round trip of the handshake as this host captured it. Judged is in
`sockstates.evidence.schedules`.
"""

from __future__ import annotations

import platform
from math import inf
from typing import TYPE_CHECKING

from sockstates.evidence.schedules import Repeated, explain_schedule, faults, repetitions
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.link import held_up
from sockstates.lab.schedule import is_from
from sockstates.lab.socket_options import seconds_of
from sockstates.record.events import NANOSECONDS, SocketSeen
from sockstates.sandbox.client.errors import LabError
from sockstates.system import ticks_a_second
from sockstates.tcp.kernel import Kernel
from sockstates.tcp.kernel_settings import OPTIONS
from sockstates.tcp.prediction import KINDS, Prediction, predict
from sockstates.tcp.segment import Segment, add, distance
from sockstates.tcp.silence import Situation
from sockstates.tcp.states import State
from sockstates.tcp.timers import late

if TYPE_CHECKING:
    from sockstates.lab.witnessed import WitnessedSocket

BY_STATE = {
    State.SYN_SENT: "syn",
    State.SYN_RECV: "synack",
    State.FIN_WAIT2: "fin-wait2",
    State.TIME_WAIT: "time-wait",
}
PROBING = ("probe", "keepalive")
RUNNING = ("retransmit", *PROBING)
FLAGS = {"syn": "S", "synack": "S."}
CLOSERS = (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING)


def retransmits_as_predicted(
    endpoint: WitnessedSocket, kind: str | None, times: int | None
) -> tuple[Segment, ...]:
    """See :meth:`WitnessedSocket.retransmits_as_predicted`."""
    lab = endpoint.host.lab
    so = _as_it_was(endpoint)
    chosen = kind or _kind_of(so)
    made = predict(chosen, _situation(endpoint, so, chosen))
    if not made.kind.repeats:
        if made.gives_up is not None and so is not None:
            endpoint.spends(so.state, made.gives_up)
        return ()
    _wait(endpoint, made, times)
    lab.settle()
    seen = _repeated(endpoint, made.kind.name)
    if faults(seen, made, times):
        raise ExpectationFailed(explain_schedule(repr(endpoint), seen, made, times))
    return transmissions(endpoint, made.kind.name)


def _as_it_was(endpoint: WitnessedSocket) -> SocketSeen | None:
    """The endpoint as it was seen last before it was CLOSED."""
    endpoint.host.lab.settle()
    history = endpoint.host.lab.timeline.history(endpoint.key)
    return next((seen for seen in reversed(history) if seen.state is not State.CLOSED), None)


def _kind_of(so: SocketSeen | None) -> str:
    if so is None:
        raise LabError("retransmits_as_predicted: the endpoint was never seen; say which kind=…")
    if so.state in BY_STATE:
        return BY_STATE[so.state]
    if so.timer in PROBING:
        return so.timer
    return "fin" if so.state in CLOSERS else "data"


def _situation(endpoint: WitnessedSocket, so: SocketSeen | None, kind: str) -> Situation:
    host = endpoint.host
    orphan = so is not None and so.owner is None and kind not in ("syn", "synack")
    if kind == "keepalive" or (so is not None and so.state is State.ESTABLISHED):
        orphan = False  # not accepted yet: nobody has it, and it is no orphan
    return Situation(
        kernel(),
        host.lab.settings[host.name],
        options_of(endpoint),
        orphan,
        _round_trip(endpoint),
    )


def kernel() -> Kernel:
    """The kernel that the lab runs on."""
    return Kernel.of(platform.release(), ticks_a_second())


def options_of(endpoint: WitnessedSocket) -> dict[str, float]:
    """The socket options that were set and that the predictor knows, in their own units."""
    found: dict[str, float] = {}
    for name, known in OPTIONS.items():
        given = endpoint.options_set.get((known.level, known.number))
        value = _out_of(name, given) if isinstance(given, bytes) else given
        if value is not None:
            found[name] = value
    return found


def _out_of(name: str, value: bytes) -> float | None:
    if name in ("SO_LINGER", "SO_SNDTIMEO"):
        return seconds_of(OPTIONS[name].number, value)
    return float(int.from_bytes(value, "little", signed=True)) if len(value) == 4 else None


def _round_trip(endpoint: WitnessedSocket) -> float:
    """Of the handshake, in seconds, as the endpoint's kernel measured it for its first RTO.

    For a client from its last SYN; for a server from the SYN, which it answers at once.
    """
    began = None
    for segment in endpoint.host.lab.timeline.arrived[endpoint.host.name]:
        outwards = (segment.source, segment.destination) == (endpoint.local, endpoint.remote)
        inwards = (segment.destination, segment.source) == (endpoint.local, endpoint.remote)
        if segment.flags == "S" and (inwards or outwards):
            began = segment.time - outwards * _held_up(endpoint)
        elif inwards and began is not None and segment.has("."):
            return (segment.time - began) / NANOSECONDS
    return Situation().round_trip


def _held_up(endpoint: WitnessedSocket) -> int:
    """How much later than it was sent a segment of this host is captured (ns)."""
    host = endpoint.host
    return int(held_up(host.lab, host.name) * NANOSECONDS)


def _wait(endpoint: WitnessedSocket, made: Prediction, times: int | None) -> None:
    lab, kind = endpoint.host.lab, made.kind.name
    if times is None:
        if made.gives_up is None:
            raise LabError(f"{endpoint!r}: nothing ends it; say how many times=… are meant")
        limit = late(made.gives_up) + lab.deadlines.patience
        lab.wait_until(lambda: _is_closed(endpoint), f"{endpoint!r} to give up", limit)
        return
    if times > len(made.moments):
        raise LabError(f"{endpoint!r}: it is sent again {len(made.moments)} times, not {times}")
    known = -1
    while known < (known := len(_repeated(endpoint, kind).repeats)) < times:
        awaiting = f"{endpoint!r} to send again, time {known + 1} of {times}"

        def more(known: int = known) -> bool:
            return len(_repeated(endpoint, kind).repeats) > known

        lab.wait_until(more, awaiting, lab.deadlines.next_segment())


def _is_closed(endpoint: WitnessedSocket) -> bool:
    seen = endpoint.host.lab.timeline.latest(endpoint.key)
    return seen is not None and seen.state is State.CLOSED


def _repeated(endpoint: WitnessedSocket, kind: str) -> Repeated:
    """When the timer was started, each repetition, and when the endpoint was CLOSED."""
    seen = endpoint.host.lab.timeline.latest(endpoint.key)
    closed = None
    if seen is not None and seen.state is State.CLOSED:
        closed = (seen.not_before, seen.time)
    sent = transmissions(endpoint, kind)
    moments = [each.time - _held_up(endpoint) for each in sent]
    if kind in PROBING:
        started = _last_heard(endpoint, moments)
        return Repeated(started, tuple(moments), closed, _due(endpoint, [started, *moments]))
    if not sent:
        raise ExpectationFailed(f"{endpoint!r} was never seen to send a {KINDS[kind].repeats}")
    started = _syn_before(endpoint, moments[0]) if kind == "synack" else moments[0]
    return Repeated(started, tuple(moments[1:]), closed, _due(endpoint, moments))


def _due(endpoint: WitnessedSocket, sent: list[int]) -> tuple[int | None, ...]:
    """When, after each of these moments, the kernel said that its timer would run out.

    The first sample behind it tells, if it was taken before the next.
    """
    history = endpoint.host.lab.timeline.history(endpoint.key)
    running = [seen for seen in history if seen.timer in RUNNING and seen.timer_expires is not None]
    found: list[int | None] = []
    for since, until in zip(sent, [*sent[1:], inf], strict=True):
        told = next((seen for seen in running if since < seen.time < until), None)
        found.append(None if told is None else told.time + (told.timer_expires or 0))
    return tuple(found)


def transmissions(endpoint: WitnessedSocket, kind: str) -> tuple[Segment, ...]:
    """What the endpoint sent of this kind: the first and every repetition, or every probe."""
    sent = [each for each in endpoint.host.lab.timeline.wire if is_from(endpoint, each)]
    if kind in PROBING:
        probes = _probes(sent)
        return tuple(_unanswered(endpoint, probes) if kind == "keepalive" else probes)
    if kind in FLAGS:
        return tuple(each for each in sent if each.flags == FLAGS[kind])
    carrying = [each for each in sent if each.end != each.sequence]
    last = (repetitions(sent) or carrying)[-1:]
    return tuple(each for each in carrying if each.sequence == last[0].sequence)


def _probes(sent: list[Segment]) -> list[Segment]:
    """Segments without anything that begin one byte before the next, since the last other one."""
    end: int | None = None
    probes: list[Segment] = []
    for segment in sent:
        if end is not None and segment.length == 0 and segment.sequence == add(end, -1):
            probes.append(segment)
        elif end is None or distance(end, segment.end) > 0:
            end = segment.end
            probes.clear()
    return probes


def _unanswered(endpoint: WitnessedSocket, probes: list[Segment]) -> list[Segment]:
    """Those since the peer was heard last: with its answer the time of keepalive begins anew."""
    heard = _last_heard(endpoint, [each.time for each in probes[-1:]])
    return [each for each in probes if each.time > heard]


def _last_heard(endpoint: WitnessedSocket, probes: list[int]) -> int:
    """When the peer was heard last before the first probe, as this host captured it."""
    heard = endpoint.host.lab.timeline.arrived[endpoint.host.name]
    came = [each.time for each in heard if each.source == endpoint.remote]
    return max(each for each in [0, *came] if not probes or each <= probes[0])


def _syn_before(endpoint: WitnessedSocket, first: int) -> int:
    """When the SYN came that the SYN-ACK answers.

    The kernel starts the timer of a SYN-ACK when it has taken the SYN, and then sends
    (tcp_conn_request in net/ipv4/tcp_input.c), so the SYN's own moment is the bound.
    """
    timeline = endpoint.host.lab.timeline
    _, peer = timeline.rewritings.own(endpoint.local, endpoint.remote)
    syns = [each.time for each in timeline.wire if each.source == peer and each.flags == "S"]
    return max([each for each in syns if each <= first], default=first)
