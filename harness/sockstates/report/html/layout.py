"""Heights for all that one section shows, so that no words touch."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from sockstates.evidence.bars import Bar, Piece
from sockstates.record.events import NANOSECONDS
from sockstates.report.html.choice import LeftOut
from sockstates.report.html.columns import Columns
from sockstates.report.html.scale import Mark, Placed, place
from sockstates.report.html.scene import Scene, Section
from sockstates.report.story import Note, Sent

ARROWS = "arrows"
RULE_BELOW = 16.0
"""Room below an arrow for the rule that stopped it."""
FALL = 8.0
"""How far an arrow falls whose flight is too short to be seen."""
ABOVE_ARROW = 18.0
SLOW = NANOSECONDS // 1000
"""From this flight time (ns) on an arrow falls to scale."""
LETTER = 6.03
"""Width of a letter of the notes, whose type is monospaced."""
LINE = 12.5
NOTE_LINES = 4
ARROW_LETTER = 6.65
"""Width of a letter beside an arrow."""
BESIDE = 12.0
"""How far an arrow's words stand from its sender's lane."""
SPOKEN_LINES = 3
LABEL = 15.0
"""Height of a piece of a bar that has its name in it."""


@dataclass(slots=True)
class Arrow:
    """A segment's way."""

    sent: Sent
    start: Mark
    end: Mark | None
    """None: at once, as far as an eye can see."""
    covers: bool = False
    """Whether an earlier segment is still on its way, so that its line passes behind the words."""
    spoken: list[str] = field(default_factory=list)
    """What it says in TLS, and remarks for which its line has no room, in lines."""
    apart: bool = False
    """Whether its remarks are among these lines."""

    @property
    def fall(self) -> float:
        """How much lower it ends."""
        return self.end.y - self.start.y if self.end else FALL


@dataclass(slots=True)
class PlacedNote:
    """A note in lines."""

    note: Note
    lines: list[str]
    mark: Mark


@dataclass(slots=True)
class SectionLayout:
    """All of a section with its heights."""

    section: Section
    placed: Placed
    arrows: list[Arrow] = field(default_factory=list)
    notes: list[PlacedNote] = field(default_factory=list)
    left_out: list[tuple[LeftOut, Mark]] = field(default_factory=list)
    pieces: list[tuple[Bar, Piece]] = field(default_factory=list)
    """What is to be seen of the bars here."""


def marks_of(scene: Scene, columns: Columns, section: Section) -> SectionLayout:
    """The section's parts with marks that have no heights yet."""
    layout = SectionLayout(section, Placed([], [], 0.0))
    layout.arrows = list(_arrows(scene, columns, section))
    layout.notes = [_note(columns, note) for note in section.notes]
    layout.left_out = [(gap, Mark(gap.start, {ARROWS: (22.0, 18.0)})) for gap in section.left_out]
    layout.pieces = [
        (bar, piece)
        for bar in scene.bars
        if bar in columns.bars
        for piece in bar.pieces
        if piece.start < section.end and piece.end >= section.start
    ]
    return layout


def settle(layout: SectionLayout, columns: Columns, pixels: float) -> None:
    """Give every mark of the section its height."""
    section = layout.section
    marks = [arrow.start for arrow in layout.arrows]
    marks += [arrow.end for arrow in layout.arrows if arrow.end]
    marks += [note.mark for note in layout.notes]
    marks += [mark for _, mark in layout.left_out]
    marks += [_piece_mark(columns, bar, piece, section) for bar, piece in layout.pieces]
    start = min([section.start, *(mark.time for mark in marks)])
    layout.placed = place(marks, start, section.end, pixels)


def moments(layout: SectionLayout) -> list[int]:
    """The times of the section's segments, for the choice of a scale."""
    section = layout.section
    return [section.start, *(arrow.start.time for arrow in layout.arrows), section.end]


def _arrows(scene: Scene, columns: Columns, section: Section) -> Iterator[Arrow]:
    under_way = 0
    for index, sent in enumerate(section.sent):
        covers = sent.segment.time < under_way
        loss = sent.loss
        below = FALL + (RULE_BELOW if loss and loss.rule else 0.0)
        spoken, apart = _spoken(columns, sent)
        above = ABOVE_ARROW + LINE * len(spoken)
        needs = {ARROWS: (above, below), _flight(sent): (0.0, FALL)}
        start = Mark(sent.segment.time, needs, 1)
        arrival = scene.arrivals.get(sent.place)
        following = section.sent[index + 1 : index + 4]
        if arrival is None or not _is_seen(sent, arrival, following):
            yield Arrow(sent, start, None, covers, spoken, apart)
        else:
            arrival = min(arrival, section.end)
            under_way = max(under_way, arrival)
            end = Mark(arrival, {ARROWS: (0.0, 0.0), _flight(sent): (0.0, 0.0)})
            yield Arrow(sent, start, end, covers, spoken, apart)


def _spoken(columns: Columns, sent: Sent) -> tuple[list[str], bool]:
    """The lines above an arrow's words, and whether they begin with its remarks."""
    start, end = columns.ends(sent.segment)
    letters = int((abs(end - start) - 2 * BESIDE) / ARROW_LETTER)
    if letters < 1:  # to the same end: it is connected to itself
        return [], False
    whole = sent.numbered.words()
    room = letters if sent.loss is None else letters // 2
    apart = bool(sent.numbered.remarks) and len(" ".join(whole)) + len(whole) > room
    said = ", ".join(sent.numbered.remarks) if apart else ""
    lines = [
        line
        for text in (said, sent.numbered.tls)
        for line in textwrap.wrap(text, letters, max_lines=SPOKEN_LINES, placeholder=" …")
    ]
    return lines, apart


def _flight(sent: Sent) -> str:
    return f"flight {sent.place}"


def _is_seen(sent: Sent, arrival: int, following: list[Sent]) -> bool:
    """Whether the flight is long, or the other end sent something before this arrived."""
    segment = sent.segment
    crossed = any(
        other.segment.source == segment.destination and other.segment.time < arrival
        for other in following
    )
    return crossed or arrival - segment.time >= SLOW


def _note(columns: Columns, note: Note) -> PlacedNote:
    lane = columns.lane_of_host(note.host)
    if lane is None or lane.notes is None:
        return PlacedNote(
            note, [f"{note.host}: {note.text}"], Mark(note.time, {ARROWS: (16.0, 6.0)})
        )
    letters = int((lane.notes[1] - 14) / LETTER)
    lines = textwrap.wrap(note.text, letters, max_lines=NOTE_LINES, placeholder=" …") or [""]
    below = LINE * (len(lines) - 1) + 5.0
    return PlacedNote(
        note, lines, Mark(note.time, {f"notes {lane.name} {lane.side}": (11.0, below)})
    )


def listener_name(bar: Bar, piece: Piece) -> str:
    """``80 LISTEN``: which of a host's listeners it is, along its narrow bar."""
    return f"{bar.key[1].port} {piece.state}"


def _piece_mark(columns: Columns, bar: Bar, piece: Piece, section: Section) -> Mark:
    """Room for the name of the state: where it begins, or where the section does."""
    tall = columns.bars[bar].width < 30
    room = 7.5 * len(listener_name(bar, piece)) if tall and piece.end > piece.start else LABEL
    time = max(piece.start, section.start)
    place_ = columns.bars[bar]
    return Mark(time, {f"bar {place_.left}": (2.0, room)}, 2)
