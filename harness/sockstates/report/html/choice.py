"""Which segments a diagram of many shows: the beginning, the end, and what is interesting between.

What is left out is counted and said; the captures have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sockstates.report.story import Sent

FIRST, LAST, BETWEEN = 60, 40, 60
MOST = FIRST + LAST + BETWEEN
"""Segments in one diagram; a longer one shows so many of the beginning, the end, and between."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run of segments that the diagram does not show."""

    start: int
    end: int
    count: int


def chosen(sent: list[Sent], near: list[int]) -> tuple[list[Sent], list[LeftOut]]:
    """The segments to draw and the runs left out. `near`: moments (ns) worth a segment each."""
    if len(sent) <= MOST:
        return sent, []
    middle = sent[FIRST:-LAST]
    ranked = sorted(middle, key=lambda each: -_interest(each))
    worth = [each for each in ranked if _interest(each)]
    kept = {each.place for each in _spread(worth, BETWEEN)}
    moments = iter(sorted(near))
    moment = next(moments, None)
    for each in middle:
        if moment is None or len(kept) >= BETWEEN:
            break
        if each.segment.time >= moment:
            kept.add(each.place)
            moment = next((later for later in moments if later > each.segment.time), None)
    shown = [*sent[:FIRST], *(each for each in middle if each.place in kept), *sent[-LAST:]]
    return shown, _gaps(sent, shown)


def _interest(sent: Sent) -> int:
    """What makes a reader look: the ends of connections, losses, repetitions, closed windows."""
    segment = sent.segment
    if any(map(segment.has, "SFR")):
        return 3
    if sent.loss is not None or sent.first is not None:
        return 2
    return 1 if segment.window == 0 else 0


def _spread(ranked: list[Sent], most: int) -> list[Sent]:
    """The most interesting, of equally interesting ones some from everywhere."""
    if len(ranked) <= most:
        return ranked
    kept = ranked[: most // 2]
    rest = ranked[most // 2 :]
    wanted = most - len(kept)
    return kept + [rest[len(rest) * each // wanted] for each in range(wanted)]


def _gaps(sent: list[Sent], shown: list[Sent]) -> list[LeftOut]:
    gaps = []
    for before, after in pairwise(shown):
        count = after.place - before.place - 1
        if count:
            start, end = sent[before.place + 1], sent[after.place - 1]
            gaps.append(LeftOut(start.segment.time, end.segment.time, count))
    return gaps
