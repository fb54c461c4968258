"""Waits until an endpoint has repeated what nobody answers for the last time, and has given up.

The schedule is worked out from the host's own settings; whether it was kept is judged on the
recorded segments by `harness.evidence.schedules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.evidence.schedules import Repeated, explain_schedule, faults
from harness.evidence.verdicts import ExpectationFailed
from harness.lab.errors import LabError
from harness.tcp.segment import Segment
from harness.tcp.states import State
from harness.tcp.timers import syn_schedule, synack_schedule

if TYPE_CHECKING:
    from harness.lab.endpoint import Endpoint

SCHEDULES = {
    State.SYN_SENT: ("SYN", "S", syn_schedule),
    State.SYN_RECV: ("SYN-ACK", "S.", synack_schedule),
}


def gives_up_on_schedule(endpoint: Endpoint) -> None:
    """See :meth:`Endpoint.gives_up_on_schedule`."""
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


def _is_closed(endpoint: Endpoint) -> bool:
    seen = endpoint.host.lab.timeline.latest(endpoint.key)
    return seen is not None and seen.state is State.CLOSED


def _repeated(endpoint: Endpoint, flags: str) -> Repeated:
    """The endpoint's transmissions with these flags, and when it was CLOSED."""
    timeline = endpoint.host.lab.timeline
    sent = [each.time for each in timeline.wire if _is_from(endpoint, each) and each.flags == flags]
    seen = timeline.latest(endpoint.key)
    closed = None
    if seen is not None and seen.state is State.CLOSED:
        closed = (seen.not_before, seen.time)
    if not sent:
        raise ExpectationFailed(f"{endpoint!r} was never seen to send a segment [{flags}]")
    return Repeated(_cause(endpoint, sent[0], flags), tuple(sent[1:]), closed)


def _cause(endpoint: Endpoint, first: int, flags: str) -> int:
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


def _is_from(endpoint: Endpoint, segment: Segment) -> bool:
    return (segment.source, segment.destination) == (endpoint.local, endpoint.remote)
