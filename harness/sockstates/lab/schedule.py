"""Waits until an endpoint has sent something again so many times; when is not judged here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockstates.evidence.schedules import explain_repetitions, repetitions
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.tcp.segment import Segment

if TYPE_CHECKING:
    from sockstates.lab.witnessed import WitnessedSocket


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
    return repetitions(each for each in wire if is_from(endpoint, each))


def is_from(endpoint: WitnessedSocket, segment: Segment) -> bool:
    """Whether the endpoint sent it, whatever a host on the way made of its addresses."""
    timeline = endpoint.host.lab.timeline
    own = timeline.rewritings.own(endpoint.local, endpoint.remote)
    ends = segment.source, segment.destination
    return ends == own and segment not in timeline.sent_between
