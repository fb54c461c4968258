"""Times as reports show them: seconds since the scenario began, the same zero everywhere."""

from __future__ import annotations

from sockstates.record.events import NANOSECONDS
from sockstates.record.timeline import Timeline


def since_start(timeline: Timeline, time: int) -> float:
    """Seconds from the scenario's beginning to a moment of the lab's clock."""
    return (time - timeline.beginning()) / NANOSECONDS


def moment(timeline: Timeline, time: int) -> str:
    """A moment as the leftmost column shows it: ``  0.046231``, ten columns wide."""
    return f"{since_start(timeline, time):10.6f}"


def duration(seconds: float) -> str:
    """``0.8 ms``, ``131 ms``, ``1.67 s``, ``131 s``: three figures are what an eye takes in."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
