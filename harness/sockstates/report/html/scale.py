"""From moments to heights: to scale, spread where words need room, folded where nothing happens.

Within a section one factor holds. Two moments are drawn closer than to scale never, farther apart
when the words beside them would touch, and a long silence is folded and says how long it was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from sockstates.record.events import NANOSECONDS

USUAL_GAP = 72.0
"""What the median of the gaps that can be seen is drawn as."""
VISIBLE = NANOSECONDS // 50
"""Gaps (ns) from which on the scale matters; shorter ones are a matter of the words."""
FOLD_FROM = 240.0
FOLD_HEIGHT = 46.0
TOP = 6.0


@dataclass(slots=True)
class Mark:
    """A moment that needs room: on each track so much above and below it."""

    time: int
    needs: Mapping[str, tuple[float, float]]
    order: int = 0
    """Among marks of the same moment."""
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Fold:
    """A silence that is not drawn to its length."""

    y: float
    start: int
    end: int


@dataclass(slots=True)
class Placed:
    """The heights of one section."""

    marks: list[Mark]
    folds: list[Fold]
    height: float
    scaled: list[tuple[float, float]] = field(default_factory=list)
    """Stretches of the axis that are to scale."""

    def y(self, time: int) -> float:
        """The height of any moment of the section: between two marks in proportion."""
        if not self.marks:
            return TOP
        right = bisect_right(self.marks, time, key=lambda mark: mark.time)
        if right == 0:
            return self.marks[0].y
        before = self.marks[right - 1]
        if before.time == time:
            return before.y
        if right == len(self.marks):
            return self.height
        after = self.marks[right]
        share = (time - before.time) / (after.time - before.time)
        return before.y + share * (after.y - before.y)


def factor(times: Iterable[Sequence[int]]) -> float:
    """Pixels a nanosecond for these sections' moments, so that most gaps make good pictures."""
    gaps = [
        later - earlier
        for section in times
        for earlier, later in pairwise(section)
        if later - earlier >= VISIBLE
    ]
    return USUAL_GAP / median(gaps) if gaps else USUAL_GAP / NANOSECONDS


def place(marks: list[Mark], start: int, end: int, pixels: float) -> Placed:
    """Heights for the marks of a section (ns from `start` to `end`), from top to bottom."""
    marks = sorted(marks, key=lambda mark: (mark.time, mark.order))
    edges = [Mark(start, {}, -1), *marks, Mark(max(end, start), {}, 99)]
    placed = Placed(edges, [], 0.0)
    bottoms: dict[str, float] = {}
    y, time = TOP, start
    for mark in edges:
        away = max(mark.time - time, 0) * pixels
        least = max(
            (bottoms.get(track, 0.0) + above for track, (above, _) in mark.needs.items()),
            default=0.0,
        )
        if away > FOLD_FROM:
            below = max([y + 6.0, *bottoms.values()])
            placed.folds.append(Fold(below + FOLD_HEIGHT / 2, time, mark.time))
            mark.y = max(below + FOLD_HEIGHT, least)
        else:
            mark.y = max(y + away, least)
            if away >= 6 and mark.y - y <= away * 1.02:
                placed.scaled.append((y, mark.y))
        for track, (_, below) in mark.needs.items():
            bottoms[track] = max(bottoms.get(track, 0.0), mark.y + below)
        y, time = mark.y, max(mark.time, time)
    placed.height = max([y + 8.0, *(bottom + 4.0 for bottom in bottoms.values())])
    return placed
