"""Which segments a diagram of many shows: the beginning, the end, and what is interesting between.

What is left out is counted and said; the captures have it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.report.numbers import Numbered
from harness.report.numbers import numbered as with_numbers
from harness.tcp.notation import ABSOLUTE, Origin, Origins
from harness.tcp.segment import Address, Segment

FIRST, LAST, BETWEEN = 60, 40, 60
MOST = FIRST + LAST + BETWEEN
"""Segments in one diagram; a longer one shows so many of the beginning, the end, and between."""

Octets = tuple[Address, Address, int, int, bool]


@dataclass(frozen=True, slots=True)
class Sent:
    """A segment with its place in the capture, and the place of the first with these octets."""

    place: int
    numbered: Numbered
    first: int | None = None
    """None for a segment that is no repetition."""
    origin: Origin = ABSOLUTE
    """What tcpdump takes off its numbers."""

    @property
    def segment(self) -> Segment:
        """What was on the wire."""
        return self.numbered.segment


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run of segments that the diagram does not show."""

    start: int
    end: int
    count: int


def numbered(wire: list[Segment]) -> list[Sent]:
    """Every segment with its relative numbers, each repetition tied to its first."""
    origins = Origins()
    firsts: dict[Octets, int] = {}
    found: list[Sent] = []
    for place, each in enumerate(with_numbers(wire)):
        one, segment = each, each.segment
        ends = segment.source, segment.destination
        origin = origins.of(segment)
        octets = (*ends, segment.sequence, segment.end, segment.has("S"))
        repeated = octets in firsts and (segment.length or segment.has("S") or segment.has("F"))
        if one.again or repeated:
            one = replace(one, again=True)
            found.append(Sent(place, one, firsts.setdefault(octets, place), origin))
        else:
            firsts[octets] = place
            found.append(Sent(place, one, None, origin))
    return found


def chosen(
    sent: list[Sent], lost: Collection[int], near: list[int]
) -> tuple[list[Sent], list[LeftOut]]:
    """The segments to draw and the runs left out. `near`: moments (ns) worth a segment each."""
    if len(sent) <= MOST:
        return sent, []
    middle = sent[FIRST:-LAST]
    ranked = sorted(middle, key=lambda each: -_interest(each, lost))
    worth = [each for each in ranked if _interest(each, lost)]
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


def _interest(sent: Sent, lost: Collection[int]) -> int:
    """What makes a reader look: the ends of connections, losses, repetitions, closed windows."""
    segment = sent.segment
    if any(map(segment.has, "SFR")):
        return 3
    if sent.place in lost or sent.first is not None:
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
