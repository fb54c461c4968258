"""What a diagram shows, taken from a story: sections, each a step with what happened in it.

Nothing of places and colours; that is `layout` and `drawing`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise

from sockstates.evidence.bars import Bar
from sockstates.record.events import RuleChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.report.html.choice import LeftOut, chosen
from sockstates.report.html.inferred import inferred
from sockstates.report.story import Note, Sent, Story
from sockstates.tcp.inference import Inferred
from sockstates.tcp.segment import Segment

MOST_NOTES = 400
MOST_BARS = 8


@dataclass(frozen=True, slots=True)
class Band:
    """A filter rule while it was in force (ns)."""

    host: str
    line: str
    start: int
    end: int


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


def scene(story: Story) -> Scene:
    """Put all of a story into its steps."""
    timeline, notes = story.timeline, story.notes
    near = [note.time for note in notes] + [step.time for step in story.steps]
    shown, gaps = chosen(story.sent, near)
    kept = (
        notes if len(notes) <= MOST_NOTES else notes[: MOST_NOTES // 2] + notes[-MOST_NOTES // 2 :]
    )
    sections = _sections(timeline, timeline.beginning(), story.end)
    for each in shown:
        _at(sections, each.time).sent.append(each)
    for gap in gaps:
        _at(sections, gap.start).left_out.append(gap)
    for note in kept:
        _at(sections, note.time).notes.append(note)
    return Scene(
        timeline,
        [section for section in sections if section.title or section.sent or section.notes],
        story.bars[:MOST_BARS],
        list(_bands(timeline, story.end)),
        _arrivals(timeline, [each for each in shown if each.loss is None]),
        story.sent,
        inferred(timeline),
        len(story.bars[MOST_BARS:]),
        len(notes) - len(kept),
    )


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
