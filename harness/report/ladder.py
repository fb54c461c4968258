"""The timeline as a ladder diagram: a lane for each host, an arrow for each segment.

Times are those of the sender's capture. A segment that the capture at its destination does not
have ends in an ``x``; one that a filter drops on INPUT was captured before and is drawn whole: the
rules, which stand between the segments, and their counters tell the rest. States stand at their
host's lane where a sample saw them first.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from harness.evidence.events import NANOSECONDS, RuleChanged, SocketSeen, Step, SysctlSet
from harness.evidence.timeline import Timeline
from harness.report.clock import duration, moment
from harness.report.delivery import lost_segments
from harness.report.drawing import TIME_WIDTH, Lanes
from harness.report.lanes import LaneNames
from harness.report.numbers import Numbered, RelativeNumbers
from harness.report.words import rule_text, sysctl_text
from harness.tcp.segment import Segment
from harness.tcp.states import State

SILENCE = NANOSECONDS
"""From how many nanoseconds without a segment on the silence is drawn."""

Item = Numbered | Step | SocketSeen | RuleChanged | SysctlSet


def ladder(
    timeline: Timeline, *, last: int | None = None, width: int = 80, until: int | None = None
) -> str:
    """The diagram; with `last`, of so many segments at the end only.

    until: when the evidence was read (ns), so that a silence at the end can be shown.
    """
    if not timeline.wire:
        return "no TCP segment was captured"
    shown = timeline.wire[-last:] if last else timeline.wire
    drawing = _Ladder(timeline, shown, width)
    lines = [drawing.head(), *drawing.lines(_items(timeline, shown, complete=not last))]
    if until is not None:
        lines += drawing.silence(until, "since then")
    if drawing.lost_any:
        lines += ["", "x: captured leaving its sender, and not at its destination"]
    return "\n".join(lines)


def _items(timeline: Timeline, shown: list[Segment], *, complete: bool) -> list[Item]:
    """The segments to be shown and what happened meanwhile, in the order of time."""
    numbers = RelativeNumbers()
    segments = [numbers.of(segment) for segment in timeline.wire][-len(shown) :]
    happened: list[Item] = [*_changes_of_state(timeline)]
    happened += [
        event for event in timeline.events if isinstance(event, Step | RuleChanged | SysctlSet)
    ]
    start = shown[0].time
    if not complete:
        before = [event for event in happened if isinstance(event, Step) and event.time < start]
        happened = [event for event in happened if _time(event) >= start] + list(before[-1:])
    return sorted([*segments, *happened], key=_time)


def _time(item: Item) -> int:
    return item.segment.time if isinstance(item, Numbered) else item.time


def _changes_of_state(timeline: Timeline) -> Iterator[SocketSeen]:
    for key in timeline.endpoints():
        known: State | None = None
        for seen in timeline.history(key):
            if seen.state is not known:
                yield seen
            known = seen.state


@dataclass
class _Ladder:
    """One diagram while it is drawn."""

    timeline: Timeline
    shown: list[Segment]
    width: int

    def __post_init__(self) -> None:
        self.names = LaneNames(self.timeline, self.shown)
        self.lanes = Lanes.spread(len(self.names.heads), self.width)
        self.lost = lost_segments(self.timeline)
        self.lost_any = any(segment in self.lost for segment in self.shown)
        self._latest = 0

    def head(self) -> str:
        """The names of the lanes."""
        lines = [self.lanes.heads(self.names.heads)]
        if any(self.names.sides):
            lines.append(self.lanes.heads(self.names.sides))
        return "\n".join(lines)

    def lines(self, items: list[Item]) -> Iterator[str]:
        """The diagram itself."""
        for item in items:
            if isinstance(item, Numbered):
                yield from self.silence(item.segment.time)
                yield self._arrow(item)
                self._latest = item.segment.time
            elif isinstance(item, SocketSeen):
                yield from self._state(item)
            else:
                yield from self._remark(item)

    def silence(self, until: int, when: str = "") -> Iterator[str]:
        """A line for a long time without a segment."""
        quiet = until - self._latest
        if self._latest and quiet >= SILENCE:
            text = f"... {duration(quiet / NANOSECONDS)} of silence"
            yield self.lanes.between(f"{text} {when} ..." if when else f"{text} ...")

    def _arrow(self, item: Numbered) -> str:
        segment = item.segment
        ends = (
            self.names.lane(segment.source, segment.destination),
            self.names.lane(segment.destination, segment.source),
        )
        words = item.words()
        if self.names.several:
            words[0] = f"{segment.source.port} > {segment.destination.port} {words[0]}"
        lost = ""
        if segment in self.lost:
            lost = f"in {self.lost[segment]}" if self.lost[segment] else "lost"
        return self.lanes.arrow(moment(self.timeline, segment.time), ends, words, lost)

    def _state(self, seen: SocketSeen) -> Iterator[str]:
        lane = self.names.lane_of_state(seen)
        if lane is not None:
            port = f"{seen.local.port} " if self.names.several else ""
            yield self.lanes.beside(moment(self.timeline, seen.time), lane, f"{port}{seen.state}")

    def _remark(self, item: Step | RuleChanged | SysctlSet) -> Iterator[str]:
        """A step in its own words; a rule or a setting under its host's name."""
        time = moment(self.timeline, item.time)
        if isinstance(item, Step):
            mark, text = "== ", item.text
            yield ""
        elif isinstance(item, RuleChanged):
            mark, text = "   ", f"{item.host}: {rule_text(item)}"
        else:
            mark, text = "   ", f"{item.host}: {sysctl_text(item)}"
        first = time.ljust(TIME_WIDTH) + mark
        yield from textwrap.wrap(
            text, self.width, initial_indent=first, subsequent_indent=" " * len(first)
        )
