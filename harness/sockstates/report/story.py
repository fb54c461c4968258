"""What a timeline tells, read once: its segments, states, notes and silences, in one order.

A ladder diagram draws it as text (`report.ladder`), a page as pictures (`html`). Whatever
both show is worked out here: what became of each segment, when each state began, which call,
rule, setting, line of output or ICMP error came when.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

from sockstates.evidence.bars import Bar, bars
from sockstates.evidence.wire_acts import RELEASED, acts_by_segment
from sockstates.record.events import (
    NANOSECONDS,
    CallBegan,
    CallEnded,
    Event,
    ProgramEnded,
    ProgramStarted,
    ProgramWrote,
    RuleChanged,
    Step,
    SysctlSet,
)
from sockstates.record.kernel_events import WireActed
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.report.delivery import Loss, losses
from sockstates.report.numbers import Numbered
from sockstates.report.numbers import numbered as with_numbers
from sockstates.report.segment_remarks import segment_remarks
from sockstates.report.wire_words import wire_remarks
from sockstates.report.words import event_text, rule_text, sysctl_text
from sockstates.tcp.icmp import IcmpError
from sockstates.tcp.inference import Inferred
from sockstates.tcp.notation import ABSOLUTE, Origin, Origins
from sockstates.tcp.segment import Address, Segment

SILENCE = NANOSECONDS
"""From how many nanoseconds on in which nothing happens that is silence."""
ALWAYS = frozenset({"rule", "setting", "icmp"})
"""Kinds of notes that every diagram shows; the others are what programs did."""
Bytes = tuple[Address, Address, int, int, bool]


@dataclass(frozen=True, slots=True)
class Sent:
    """A segment with its place in the capture, and the place of the first with these bytes."""

    place: int
    numbered: Numbered
    first: int | None = None
    """None for a segment that is no repetition."""
    origin: Origin = ABSOLUTE
    """What tcpdump takes off its numbers."""
    loss: Loss | None = None
    """How it got lost, if it did."""
    released: int = 0
    """When the wire let it go on (ns), which had held or delayed it; 0: it did neither."""
    kept: str = ""
    """``held for 0.3 s by the wire``: what it did then. One of its remarks."""

    @property
    def segment(self) -> Segment:
        """What was on the wire."""
        return self.numbered.segment

    @property
    def time(self) -> int:
        """When its sender sent it (ns)."""
        return self.numbered.segment.time


@dataclass(frozen=True, slots=True)
class Released:
    """The wire lets a segment go on that it had held or delayed."""

    time: int
    sent: Sent


@dataclass(frozen=True, slots=True)
class Reached:
    """An endpoint is in a state from here on; `text` says so, in brackets where it is inferred."""

    time: int
    key: EndpointKey
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Words beside a host's lane: what its program did, a rule, a setting, an ICMP error.

    kind: ``call``, ``failed``, ``program``, ``rule``, ``setting`` or ``icmp``. local, remote: the
    socket's ends, where one is meant. number: of the call. error: what an ICMP error says.
    """

    time: int
    host: str
    text: str
    kind: str
    local: Address | None = None
    remote: Address | None = None
    number: int = -1
    error: IcmpError | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """From one moment to another (ns) nothing happened that is drawn; `text` says how long."""

    time: int
    began: int


Item = Step | Sent | Released | Reached | Note | Silence


class Story:
    """All that a diagram of a timeline can show."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.end = _end(timeline)
        """Until when there is evidence (ns)."""
        self.sent = list(_sent(timeline))
        """Every segment, in the order in which they were sent."""
        self.bars: list[Bar] = bars(timeline, self.end)
        """The states of every endpoint."""
        self.steps = timeline.steps()
        changes = [piece.start for bar in self.bars for piece in bar.pieces]
        steps = [step.time for step in self.steps]
        self.notes = _merged(_notes(timeline), [*self._moments(), *changes, *steps])

    def _moments(self) -> Iterator[int]:
        for sent in self.sent:
            yield sent.time
            if sent.released:
                yield sent.released

    def items(self, inferred: Iterable[Inferred] = ()) -> list[Item]:
        """Everything in the order of time. inferred: states that nobody saw, in brackets."""
        found: list[Item] = [*self.steps, *self.notes, *self.sent]
        found += [Released(each.released, each) for each in self.sent if each.released]
        found += [
            Reached(piece.start, bar.key, piece.state) for bar in self.bars for piece in bar.pieces
        ]
        for each in inferred:
            key = self.timeline.names.host(each.local.ip), each.local, each.remote
            mark = "" if each.certain else "?"
            found.append(Reached(each.time, key, f"({each.after}{mark})"))
        return sorted(found, key=_order)


def with_silences(items: Iterable[Item], until: int | None = None) -> Iterator[Item]:
    """The items with each silence between two of them, and the one until a moment (ns)."""
    latest = 0
    for item in items:
        if latest and item.time - latest >= SILENCE:
            yield Silence(item.time, latest)
        latest = max(latest, item.time)
        yield item
    if until is not None and latest and until - latest >= SILENCE:
        yield Silence(until, latest)


def _order(item: Item) -> tuple[int, bool]:
    """By time; a step, or what a program did, comes before what happened in the same instant."""
    return item.time, not isinstance(item, Step | Note)


def _end(timeline: Timeline) -> int:
    times = [event.time for event in timeline.events]
    times += [segment.time for segment in timeline.wire[-1:]]
    times += timeline.sampled.values()
    return max([timeline.beginning(), *times]) + 1


def numbered(wire: list[Segment]) -> list[Sent]:
    """Every segment with its relative numbers, each repetition tied to its first."""
    origins = Origins()
    firsts: dict[Bytes, int] = {}
    found: list[Sent] = []
    for place, each in enumerate(with_numbers(wire)):
        segment = each.segment
        ends = segment.source, segment.destination
        origin = origins.of(segment)
        said = (*ends, segment.sequence, segment.end, segment.has("S"))
        first = firsts.setdefault(said, place) if each.again else None
        if first is None:
            firsts[said] = place
        found.append(Sent(place, each, first, origin))
    return found


def _sent(timeline: Timeline) -> Iterator[Sent]:
    """Every segment with its remarks, and with what became of it."""
    remarks, lost, by_wire = segment_remarks(timeline), losses(timeline), wire_remarks(timeline)
    released = {
        segment: act.time
        for segment, acts in acts_by_segment(timeline).items()
        if (act := _release(acts)) is not None
    }
    for each in numbered(timeline.wire):
        one, remark = each.numbered, remarks.get(each.segment)
        if remark:
            one = replace(one, remarks=(*one.remarks, remark))
        loss, moment = lost.get(each.segment), released.get(each.segment, 0)
        kept = by_wire.get(each.segment, "") if moment else ""
        yield replace(each, numbered=one, loss=loss, released=moment, kept=kept)


def _release(acts: list[WireActed]) -> WireActed | None:
    return next((act for act in acts if act.action == RELEASED), None)


def _notes(timeline: Timeline) -> list[Note]:
    began = {event.call: event for event in timeline.events if isinstance(event, CallBegan)}
    programs = [event for event in timeline.events if isinstance(event, ProgramStarted)]
    names = _program_names(programs)
    counted = _last_counts(timeline)
    notes = list(_icmp_notes(timeline))
    for event in timeline.events:
        if isinstance(event, CallBegan | CallEnded):
            notes.append(_call_note(timeline, event, began))
        elif isinstance(event, ProgramStarted | ProgramWrote | ProgramEnded):
            text = _program_text(timeline, event, names.get((event.host, event.program), ""))
            notes.append(Note(event.time, event.host, text, "program"))
        elif isinstance(event, RuleChanged):
            if event.change != "counted" or counted.get((event.host, event.line)) is event:
                notes.append(Note(event.time, event.host, rule_text(event), "rule"))
        elif isinstance(event, SysctlSet):
            notes.append(Note(event.time, event.host, sysctl_text(event), "setting"))
    return sorted(notes, key=lambda note: note.time)


def _last_counts(timeline: Timeline) -> dict[tuple[str, str], RuleChanged]:
    """The last word about each rule: one that was counted is told of once, as it was then."""
    return {
        (event.host, event.line): event
        for event in timeline.events
        if isinstance(event, RuleChanged)
    }


def _call_note(
    timeline: Timeline, event: CallBegan | CallEnded, began: dict[int, CallBegan]
) -> Note:
    start = began.get(event.call)
    ends = (start.local, start.remote) if start else (None, None)
    text = event_text(timeline, event, began)
    if isinstance(event, CallBegan):
        waits = timeline.call(event.call) is None
        text += " waits" if waits else ""
        return Note(event.time, event.host, text, "call", *ends, event.call)
    return Note(
        event.time, event.host, text, "failed" if event.error else "call", *ends, event.call
    )


def _program_names(programs: Iterable[ProgramStarted]) -> dict[tuple[str, int], str]:
    """By host and number: ``nc``; where a host runs several of a name, ``nc (program 2)``."""
    short = {(each.host, each.program): PurePath(each.command[0]).name for each in programs}
    often = Counter((host, name) for (host, _), name in short.items())
    return {
        (host, number): f"{name} (program {number})" if often[host, name] > 1 else name
        for (host, number), name in short.items()
    }


def _program_text(
    timeline: Timeline, event: ProgramStarted | ProgramWrote | ProgramEnded, name: str
) -> str:
    text = event_text(timeline, event, {})
    if not name:
        return text
    if isinstance(event, ProgramStarted):
        return f"{name} starts: {' '.join(event.command)}"
    return text.replace(f"program {event.program}", name, 1)


def _icmp_notes(timeline: Timeline) -> Iterator[Note]:
    names = timeline.names
    for error in timeline.icmp_errors:
        local, remote = timeline.rewritings.own(error.sender, error.receiver)
        text = (
            f"ICMP from {names.host(error.source)}: {error.reason}, "
            f"for {names.endpoint(error.sender)} > {names.endpoint(error.receiver)}"
        )
        host = names.host(error.destination)
        yield Note(error.time, host, text, "icmp", local, remote, error=error)


def _merged(notes: list[Note], others: Iterable[int]) -> list[Note]:
    """A call that returned before anything else happened is told in one note, where it began.

    others: when everything happened of which there is no note (ns).
    """
    busy = sorted([*others, *(note.time for note in notes)])
    ends = {note.number: note for note in notes if note.number >= 0}
    told: list[Note] = []
    for note in notes:
        end = ends.get(note.number)
        if note.number >= 0 and end is note and told and told[-1].number == note.number:
            began = told[-1]
            if bisect_right(busy, began.time) >= bisect_left(busy, note.time):
                text = note.text
                if not began.text.endswith("()"):
                    text = f"{began.text}: {note.text.partition(' ')[2]}"
                told[-1] = replace(note, time=began.time, text=text)
                continue
        told.append(note)
    return told


def set_by_scenario(timeline: Timeline) -> list[str]:
    """Every setting, rule and fault that the scenario made, with the host, each once."""
    made: list[Event] = [
        event
        for event in timeline.events
        if isinstance(event, SysctlSet)
        or (isinstance(event, RuleChanged) and event.change == "applied")
    ]
    return list(
        dict.fromkeys(
            f"{event.host}: {rule_text(event) if isinstance(event, RuleChanged) else ''}"
            f"{sysctl_text(event) if isinstance(event, SysctlSet) else ''}"
            for event in made
        )
    )
