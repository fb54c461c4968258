"""Connection tracking of a host or router as the scenario holds it: watch it, and expect of it.

What its agent records of conntrack comes from `sandbox.witnesses.conntrack`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockstates.evidence.flows import (
    STATES,
    Flow,
    explain_flow,
    first_difference,
    lost_events,
    state_of,
)
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.sandbox.client.errors import LabError

if TYPE_CHECKING:
    from sockstates.lab.connection import Connection
    from sockstates.lab.host import Host


def watch_conntrack(host: Host) -> None:
    """See :meth:`Host.watch_conntrack`."""
    missing = host.agent.watch_conntrack()
    if missing:
        raise LabError(f"{host.name}: conntrack cannot be watched: {missing}")


def sees_flow(
    host: Host, connection: Connection, states: Sequence[str], seconds: float | None
) -> None:
    """See :meth:`Host.sees_flow`."""
    lab, expected = host.lab, _checked(states)
    if not lab.timeline.joined("conntrack", host.name):
        raise LabError(
            f"{host.name}: conntrack is not being watched there; call "
            f"{host.name}.watch_conntrack() at the scenario's beginning"
        )
    remote = connection.client.remote
    if remote is None:
        raise LabError(f"{connection!r} has no other end")
    flow = Flow(host.name, connection.client.local, remote)
    if host is connection.server.host and connection.server.remote is not None:
        flow = Flow(host.name, connection.server.remote, connection.server.local)
    began = lab.now()

    def seen() -> list[str]:
        return [state_of(event) for event in flow.changes(lab.timeline)]

    def decided() -> bool:
        return len(seen()) >= len(expected) or bool(first_difference(seen(), expected))

    if expected:
        limit = lab.deadlines.next_segment() if seconds is None else seconds
        awaiting = f"conntrack on {host.name} to see {flow.text(lab.timeline)} {expected[-1]}"
        lab.wait_until(decided, awaiting, limit)
    else:
        lab.settle()
    if len(seen()) < len(expected) or first_difference(seen(), expected):
        explanation = explain_flow(lab.timeline, flow, expected, lab.seconds_since(began))
        lost = lost_events(lab.timeline, host.name)
        if lost:
            raise Inconclusive(f"conntrack on {host.name} lost {lost} events\n\n{explanation}")
        raise ExpectationFailed(explanation)


def _checked(states: Sequence[str]) -> tuple[str, ...]:
    for state in states:
        if state not in STATES:
            raise LabError(
                f"{state!r} is not a conntrack state; the states are {', '.join(STATES)}"
            )
    return tuple(states)
