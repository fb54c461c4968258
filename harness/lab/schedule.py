"""Waits until an endpoint has repeated what nobody answers for the last time, and has given up.

The schedule is worked out from the host's own settings; whether it was kept is judged on the
recorded segments by `harness.evidence.schedules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.evidence.schedules import (
    Repeated,
    explain_repetitions,
    explain_schedule,
    faults,
    repetitions,
)
from harness.evidence.verdicts import ExpectationFailed
from harness.lab.errors import LabError
from harness.tcp.segment import Segment
from harness.tcp.states import State
from harness.tcp.timers import syn_schedule, synack_schedule

if TYPE_CHECKING:
    from harness.lab.witnessed import WitnessedSocket

SCHEDULES = {
    State.SYN_SENT: ("SYN", "S", syn_schedule),
    State.SYN_RECV: ("SYN-ACK", "S.", synack_schedule),
}


def gives_up_on_schedule(endpoint: WitnessedSocket) -> tuple[Segment, ...]:
    """See :meth:`WitnessedSocket.gives_up_on_schedule`."""
    lab = endpoint.host.lab
    state = endpoint.state
    if state not in SCHEDULES:
        raise LabError(f"{endpoint!r} is {state}: only {' and '.join(SCHEDULES)} have a schedule")
    what, flags, schedule_of = SCHEDULES[state]
    schedule = schedule_of(lab.settings[endpoint.host.name])
    limit = lab.deadlines.state_change(endpoint, State.CLOSED)
    lab.wait_until(
        lambda: _is_closed(endpoint), f"{endpoint!r} to give up after {schedule[-1]:g} s", limit
    )
    lab.settle()
    seen = _repeated(endpoint, flags)
    if faults(seen, schedule):
        raise ExpectationFailed(explain_schedule(repr(endpoint), what, seen, schedule))
    return _transmissions(endpoint, flags)


def retransmits(endpoint: WitnessedSocket, times: int) -> tuple[Segment, ...]:
    """See :meth:`WitnessedSocket.retransmits`."""
    lab = endpoint.host.lab
    began = lab.now()
    wait_for_more = True
    while len(known := _repetitions(endpoint)) < times:
        if not wait_for_more:
            waited = lab.seconds_since(began)
            raise ExpectationFailed(
                explain_repetitions(repr(endpoint), times, known, lab.origin, waited)
            )
        wait_for_more = _sends_again(endpoint, len(known), times)
    return tuple(known)


def _sends_again(endpoint: WitnessedSocket, known: int, times: int) -> bool:
    lab = endpoint.host.lab
    awaiting = f"{endpoint!r} to send again, time {known + 1} of {times}"
    limit = lab.deadlines.next_segment()
    return lab.wait_until(lambda: len(_repetitions(endpoint)) > known, awaiting, limit)


def _repetitions(endpoint: WitnessedSocket) -> list[Segment]:
    wire = endpoint.host.lab.timeline.wire
    return repetitions(each for each in wire if _is_from(endpoint, each))


def _is_closed(endpoint: WitnessedSocket) -> bool:
    seen = endpoint.host.lab.timeline.latest(endpoint.key)
    return seen is not None and seen.state is State.CLOSED


def _repeated(endpoint: WitnessedSocket, flags: str) -> Repeated:
    """The endpoint's transmissions with these flags, and when it was CLOSED."""
    timeline = endpoint.host.lab.timeline
    sent = [each.time for each in _transmissions(endpoint, flags)]
    seen = timeline.latest(endpoint.key)
    closed = None
    if seen is not None and seen.state is State.CLOSED:
        closed = (seen.not_before, seen.time)
    if not sent:
        raise ExpectationFailed(f"{endpoint!r} was never seen to send a segment [{flags}]")
    return Repeated(_cause(endpoint, sent[0], flags), tuple(sent[1:]), closed)


def _transmissions(endpoint: WitnessedSocket, flags: str) -> tuple[Segment, ...]:
    wire = endpoint.host.lab.timeline.wire
    return tuple(each for each in wire if _is_from(endpoint, each) and each.flags == flags)


def _cause(endpoint: WitnessedSocket, first: int, flags: str) -> int:
    """When the timer was started: with the first SYN; of a SYN-ACK just before it is sent.

    The kernel starts the timer of a SYN-ACK when it has taken the SYN, and then sends
    (tcp_conn_request in net/ipv4/tcp_input.c), so the SYN's own moment is the bound.
    """
    if flags == "S":
        return first
    wire = endpoint.host.lab.timeline.wire
    return max(
        each.time
        for each in wire
        if each.source == endpoint.remote and each.flags == "S" and each.time <= first
    )


def _is_from(endpoint: WitnessedSocket, segment: Segment) -> bool:
    return (segment.source, segment.destination) == (endpoint.local, endpoint.remote)
