"""Why a timeline can decide nothing: evidence lost, a clock that was set, witnesses that disagree.

Pure. Judged at the end of each scenario, and when an expectation has failed: a failure needs whole
evidence as much as a pass does.
"""

from __future__ import annotations

from typing import Final

from sockstates.evidence.agreement import contradictions_about_packets
from sockstates.evidence.consistency import Contradiction, contradictions_about_states
from sockstates.record.events import NANOSECONDS, ClockStepped, FramesLost
from sockstates.record.timeline import Timeline

MOST_SHOWN: Final = 3
MOST_UNREAD: Final = 5000
"""Frames that are dissected for the sake of this judgement alone."""


def doubt(timeline: Timeline, until: int) -> str | None:
    """Why the evidence cannot decide anything; None when it can.

    until: the moment (ns) up to which every witness has been heard.
    """
    for event in timeline.events:
        if isinstance(event, FramesLost):
            return _loss_text(event)
        if isinstance(event, ClockStepped):
            return (
                f"the machine's clock was set by {event.nanoseconds / NANOSECONDS:+.3f} s "
                "during the scenario: its times do not compare."
            )
    return _contradictions_text(timeline, contradictions(timeline, until))


def _loss_text(loss: FramesLost) -> str:
    if loss.on_the_way:
        return (
            f"the {loss.host} lost {loss.count} frames that nobody told it to drop: what they "
            "would have done is not known. It passes on some 50,000 frames a second: send less."
        )
    return (
        f"the capture on {loss.host} lost {loss.count} frames: what it does not show "
        "may have happened. It keeps up with some 200,000 frames a second: send less."
    )


def contradictions(timeline: Timeline, until: int) -> list[Contradiction]:
    """Everything in which the witnesses cannot all be right, by time.

    Where so many frames wait to be dissected that it would take seconds, they are not heard.
    """
    readable = timeline.unread <= MOST_UNREAD
    found = contradictions_about_states(timeline, until, by_segments=readable)
    if readable:
        found += contradictions_about_packets(timeline, until)
    return sorted(found, key=lambda each: each.began)


def _contradictions_text(timeline: Timeline, found: list[Contradiction]) -> str | None:
    if not found:
        return None
    shown = [each.text(timeline.beginning()) for each in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        shown.append(f"and {len(found) - MOST_SHOWN} more contradictions")
    return "\n\n".join(shown)
