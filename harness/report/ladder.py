"""The timeline as a ladder diagram: a lane for each host, an arrow for each segment.

Times are those of the sender's capture. A segment that the capture at its destination does not
have ends in an ``x``, and so does one that a filter dropped, with the rule beside the ``x``. States
stand at their host's lane at the moment that the kernel told, or where a sample saw them first.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.evidence.events import (
    NANOSECONDS,
    CallBegan,
    RuleChanged,
    Step,
    SysctlSet,
)
from harness.evidence.timeline import EndpointKey, Timeline
from harness.report.clock import duration, moment
from harness.report.delivery import dropping_rules, lost_segments
from harness.report.drawing import TIME_WIDTH, Lanes
from harness.report.html.states import bars
from harness.report.lanes import LaneNames
from harness.report.numbers import Numbered, numbered
from harness.report.rewriting_words import rewriting_lines
from harness.report.segment_remarks import segment_remarks
from harness.report.wire_words import with_wire_remark
from harness.report.words import event_text, rule_text, sysctl_text
from harness.tcp.inference import Inferred
from harness.tcp.segment import Address, Segment

SILENCE = NANOSECONDS
"""From how many nanoseconds without a segment on the silence is drawn."""


@dataclass(frozen=True, slots=True)
class Called:
    """A socket call of a program, where it stands: at its end, or while it has none, its beginning.

    ended: when and how, in words; empty while it waits.
    """

    time: int
    began: CallBegan
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """An endpoint is in a state from here on; `text` says so, in brackets where it is inferred."""

    time: int
    key: EndpointKey
    text: str


Item = Numbered | Step | Reached | RuleChanged | SysctlSet | Called


def ladder(
    timeline: Timeline,
    *,
    last: int | None = None,
    width: int = 80,
    until: int | None = None,
    calls: bool = False,
    inferred: Sequence[Inferred] = (),
) -> str:
    """The diagram; with `last`, of so many segments at the end only.

    until: when the evidence was read (ns), so that a silence at the end can be shown. calls: with
    the programs' socket calls beside their hosts' lanes. inferred: states that nobody saw, to be
    drawn in brackets, with a question mark where they are only possible.
    """
    if not timeline.wire:
        return "no TCP segment was captured"
    shown = timeline.wire[-last:] if last else timeline.wire
    drawing = _Ladder(timeline, shown, width)
    meanwhile = [*(_calls(timeline) if calls else ()), *_inferences(timeline, inferred)]
    items = _items(timeline, shown, meanwhile, complete=not last)
    lines = [drawing.head(), *drawing.lines(items)]
    if until is not None:
        lines += drawing.silence(until, "since then")
    return "\n".join([*lines, *drawing.legend()])


def _items(
    timeline: Timeline, shown: list[Segment], meanwhile: list[Item], *, complete: bool
) -> list[Item]:
    """The segments to be shown and what happened meanwhile, in the order of time."""
    remarks = segment_remarks(timeline)
    segments = [with_wire_remark(each, remarks) for each in numbered(timeline.wire)][-len(shown) :]
    happened: list[Item] = [*_changes_of_state(timeline), *meanwhile]
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


def _calls(timeline: Timeline) -> Iterator[Called]:
    began = {event.call: event for event in timeline.events if isinstance(event, CallBegan)}
    for number, event in began.items():
        ended = timeline.call(number)
        text = event_text(timeline, ended, began) if ended else ""
        yield Called(ended.time if ended else event.time, event, text)


def _changes_of_state(timeline: Timeline) -> Iterator[Reached]:
    for bar in bars(timeline, 0):
        for piece in bar.pieces:
            yield Reached(piece.start, bar.key, piece.state)


def _inferences(timeline: Timeline, inferred: Sequence[Inferred]) -> Iterator[Reached]:
    for each in inferred:
        key = timeline.names.host(each.local.ip), each.local, each.remote
        yield Reached(each.time, key, f"({each.after}{'' if each.certain else '?'})")


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
        self.rules = dropping_rules(self.timeline)
        self._latest = 0

    def head(self) -> str:
        """The names of the lanes."""
        lines = [self.lanes.heads(self.names.heads)]
        if any(self.names.sides):
            lines.append(self.lanes.heads(self.names.sides))
        return "\n".join(lines)

    def legend(self) -> list[str]:
        """What an ``x`` means here, and whose addresses were rewritten; nothing where none is."""
        lost = [segment for segment in self.shown if segment in self.lost]
        lines = rewriting_lines(self.timeline, self.shown)
        if any(segment not in self.rules for segment in lost):
            lines.append("x: captured leaving its sender, and not at its destination")
        if any(segment in self.rules for segment in lost):
            lines.append("x with a rule: what the filter says that the rule dropped or rejected")
        wrapped = [part for line in lines for part in textwrap.wrap(line, self.width)]
        return ["", *wrapped] if wrapped else []

    def lines(self, items: list[Item]) -> Iterator[str]:
        """The diagram itself."""
        for item in items:
            if isinstance(item, Numbered):
                yield from self.silence(item.segment.time)
                yield from self._arrow(item)
                self._latest = item.segment.time
            elif isinstance(item, Reached):
                yield from self._state(item)
            elif isinstance(item, Called):
                yield from self._call(item)
            else:
                yield from self._remark(item)

    def silence(self, until: int, when: str = "") -> Iterator[str]:
        """A line for a long time without a segment."""
        quiet = until - self._latest
        if self._latest and quiet >= SILENCE:
            text = f"... {duration(quiet / NANOSECONDS)} of silence"
            yield self.lanes.between(f"{text} {when} ..." if when else f"{text} ...")

    def _arrow(self, item: Numbered) -> Iterator[str]:
        segment = item.segment
        ends = (
            self.names.lane(segment.source, segment.destination),
            self.names.lane(segment.destination, segment.source),
        )
        words = item.words()
        if self.names.several:
            words[0] = f"{segment.source.port} > {segment.destination.port} {words[0]}"
        lost = self._end(segment)
        apart = item.tls and not self.lanes.has_room(ends, [*words, item.tls], lost)
        if item.tls and not apart:
            words.append(item.tls)
        yield self.lanes.arrow(moment(self.timeline, segment.time), ends, words, lost)
        if apart:
            yield from self.lanes.below(ends, item.tls)

    def _end(self, segment: Segment) -> str:
        """What stands where the arrow breaks off; empty when it does not."""
        if segment not in self.lost:
            return ""
        host, rule = self.lost[segment], self.rules.get(segment, "")
        if rule and host not in self.timeline.between:
            return rule
        where = f"in {host}" if host else "lost"
        return f"{where}: {rule}" if rule else where

    def _state(self, item: Reached) -> Iterator[str]:
        _, local, _ = item.key
        lane = self.names.lane_of_end(*item.key)
        if lane is not None:
            port = f"{local.port} " if self.names.several else ""
            yield self.lanes.beside(moment(self.timeline, item.time), lane, f"{port}{item.text}")

    def _call(self, item: Called) -> Iterator[str]:
        began = item.began
        lane = self.names.lane_of_end(began.host, began.local or Address("", 0), began.remote)
        if lane is not None:
            text = item.ended or f"{began.name}({began.detail}) waits"
            yield self.lanes.beside(moment(self.timeline, item.time), lane, text)

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
