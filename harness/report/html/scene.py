"""What a diagram shows, taken from a timeline: sections, each a step with what happened in it.

Nothing of places and colours; that is `layout` and `drawing`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise

from harness.evidence.events import CallBegan, CallEnded, RuleChanged, SysctlSet
from harness.evidence.timeline import EndpointKey, Timeline
from harness.report.delivery import dropping_rules, lost_segments
from harness.report.html.choice import LeftOut, Sent, chosen, numbered
from harness.report.html.inferred import inferred
from harness.report.html.states import Bar, bars
from harness.report.segment_remarks import segment_remarks
from harness.report.wire_words import with_wire_remark
from harness.report.words import event_text, rule_text, sysctl_text
from harness.tcp.inference import Inferred
from harness.tcp.segment import Segment

MOST_NOTES = 400
MOST_BARS = 8


@dataclass(frozen=True, slots=True)
class Note:
    """Words beside a host's lane: a call of its program, a rule, a setting."""

    time: int
    host: str
    text: str
    kind: str
    """``call``, ``failed``, ``rule`` or ``setting``."""
    full: str = ""
    number: int = -1
    """Of the call."""


@dataclass(frozen=True, slots=True)
class Band:
    """A filter rule while it was in force (ns)."""

    host: str
    line: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Loss:
    """How a segment got lost: in which host, empty when nobody knows, and by which of its rules."""

    where: str
    rule: str = ""


@dataclass(slots=True)
class Section:
    """One step of the scenario: from when it was said until the next one."""

    title: str
    start: int
    end: int
    sent: list[Sent] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """All that the diagrams of one scenario show."""

    timeline: Timeline
    sections: list[Section]
    bars: list[Bar]
    bands: list[Band]
    lost: dict[int, Loss]
    """By the segment's place."""
    arrivals: dict[int, int]
    """By the segment's place: when its destination captured it (ns)."""
    every: list[Sent]
    """All segments, drawn or not."""
    inferred: dict[EndpointKey, list[Inferred]]
    """What the segments alone prove about each endpoint."""
    bars_left_out: int
    notes_left_out: int

    @property
    def shown(self) -> list[Sent]:
        """Every segment that is drawn."""
        return [sent for section in self.sections for sent in section.sent]


def scene(timeline: Timeline) -> Scene:
    """Read the timeline once and put everything into its step."""
    remarks = segment_remarks(timeline)
    sent = [
        replace(each, numbered=with_wire_remark(each.numbered, remarks))
        for each in numbered(timeline.wire)
    ]
    lost = _losses(timeline, sent)
    begin, end = _limits(timeline)
    notes = _notes(timeline)
    near = [note.time for note in notes] + [step.time for step in timeline.steps()]
    shown, gaps = chosen(sent, lost, near)
    kept = (
        notes if len(notes) <= MOST_NOTES else notes[: MOST_NOTES // 2] + notes[-MOST_NOTES // 2 :]
    )
    sections = _sections(timeline, begin, end)
    for each in shown:
        _at(sections, each.segment.time).sent.append(each)
    for gap in gaps:
        _at(sections, gap.start).left_out.append(gap)
    for note in kept:
        _at(sections, note.time).notes.append(note)
    every = bars(timeline, end)
    arrivals = _arrivals(timeline, [each for each in shown if each.place not in lost])
    return Scene(
        timeline,
        [section for section in sections if section.title or section.sent or section.notes],
        every[:MOST_BARS],
        list(_bands(timeline, end)),
        lost,
        arrivals,
        sent,
        inferred(timeline),
        len(every[MOST_BARS:]),
        len(notes) - len(kept),
    )


def _losses(timeline: Timeline, sent: list[Sent]) -> dict[int, Loss]:
    where, rules = lost_segments(timeline), dropping_rules(timeline)
    return {
        each.place: Loss(where[each.segment], rules.get(each.segment, ""))
        for each in sent
        if each.segment in where
    }


def _limits(timeline: Timeline) -> tuple[int, int]:
    times = [event.time for event in timeline.events]
    times += [segment.time for segment in timeline.wire[-1:]]
    times += timeline.sampled.values()
    begin = timeline.beginning()
    return begin, max([begin, *times]) + 1


def _sections(timeline: Timeline, begin: int, end: int) -> list[Section]:
    steps = timeline.steps()
    made = [Section(step.text, step.time, end) for step in steps]
    if not steps or steps[0].time > begin:
        made.insert(0, Section("", min(begin, *(step.time for step in steps), end), end))
    for section, following in pairwise(made):
        section.end = following.start
    return made


def _at(sections: list[Section], time: int) -> Section:
    """The section of a moment; what was before the beginning belongs to the first."""
    return next((each for each in reversed(sections) if each.start <= time), sections[0])


def _notes(timeline: Timeline) -> list[Note]:
    began = {event.call: event for event in timeline.events if isinstance(event, CallBegan)}
    notes: list[Note] = []
    for event in timeline.events:
        if isinstance(event, CallBegan | CallEnded):
            text = event_text(timeline, event, began)
            failed = isinstance(event, CallEnded) and event.error
            kind = "failed" if failed else "call"
            notes.append(Note(event.time, event.host, text, kind, text, event.call))
        elif isinstance(event, RuleChanged) and event.change != "counted":
            notes.append(Note(event.time, event.host, rule_text(event), "rule"))
        elif isinstance(event, SysctlSet):
            notes.append(Note(event.time, event.host, sysctl_text(event), "setting"))
    return _merged(sorted(notes, key=lambda note: note.time), timeline.wire)


def _merged(notes: list[Note], wire: list[Segment]) -> list[Note]:
    """A call that returned before anything else happened is told in one note."""
    times = [segment.time for segment in wire] + [note.time for note in notes]
    busy = sorted(times)
    ends = {note.number: note for note in notes if note.number >= 0}
    told: list[Note] = []
    for note in notes:
        end = ends.get(note.number)
        if note.number >= 0 and end is note and told and told[-1].number == note.number:
            began = told[-1]
            if not _any_between(busy, began.time, note.time):
                text = note.text
                if not began.text.endswith("()"):
                    text = f"{began.text}: {note.text.partition(' ')[2]}"
                told[-1] = replace(note, time=began.time, text=text, full=text)
                continue
        told.append(note)
    return told


def _any_between(times: list[int], start: int, end: int) -> bool:
    return bisect_right(times, start) < bisect_left(times, end)


def _bands(timeline: Timeline, end: int) -> list[Band]:
    """From applied or resumed to deleted, suspended or released; without one: until `end`."""
    since: dict[tuple[str, str], int] = {}
    found: list[Band] = []
    for event in timeline.events:
        if not isinstance(event, RuleChanged):
            continue
        key = event.host, event.line
        if event.change in ("applied", "resumed"):
            since.setdefault(key, event.time)
        elif event.change in ("deleted", "suspended", "released") and key in since:
            found.append(Band(*key, since.pop(key), event.time))
    found += [Band(*key, start, end) for key, start in since.items()]
    return sorted(found, key=lambda band: band.start)


def _arrivals(timeline: Timeline, shown: list[Sent]) -> dict[int, int]:
    """When each was captured at its destination: the first such frame after it was sent."""
    wanted = {replace(each.segment, time=0) for each in shown}
    there: dict[tuple[str, Segment], list[int]] = defaultdict(list)
    for host in timeline.names.addresses:
        for segment in timeline.arrived.get(host, []):
            content = replace(timeline.rewritings.renamed(segment), time=0)
            if content in wanted:
                there[host, content].append(segment.time)
    found: dict[int, int] = {}
    for each in shown:
        sender, target = (
            timeline.names.host(end.ip) for end in (each.segment.source, each.segment.destination)
        )
        times = there.get((target, replace(each.segment, time=0)), [])
        later = [time for time in times if time >= each.segment.time]
        if later and sender != target:
            found[each.place] = later[0]
    return found
