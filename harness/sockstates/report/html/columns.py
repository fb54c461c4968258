"""Where everything stands from left to right: times, notes, bars of states, lanes, arrows.

The first host's bars and notes are on the left of its lane, the last one's on the right; a host
between them has its bars in the middle of its lane, which has two edges then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sockstates.evidence.bars import Bar
from sockstates.report.html.scene import Scene
from sockstates.report.lanes import LaneNames
from sockstates.tcp.segment import Address, Segment

TIME = 70.0
NOTES = 166.0
NO_NOTES = 14.0
WIDE, NARROW, LISTENER = 86.0, 52.0, 20.0
STRIPE, BESIDE = 6.0, 9.0
"""Beside a bar: the stripe of what the segments prove, and until the next bar."""
GUTTER = 26.0
REACH = 350.0
SHORT_REACH = 250.0
ROOM_OF_ONE = 250.0
"""For the words of what an endpoint sends to itself, beside its only lane."""
LOCALHOST = "localhost"
MOST_WIDE = 2
"""Connections whose bars, one beside the other, are wide enough for a state's whole name."""


@dataclass(slots=True)
class Lane:
    """One host, or one side of a connection that a host has with itself."""

    name: str
    host: str
    side: str = ""
    passes_on: bool = False
    left: float = 0.0
    """Where arrows from the left end, and those to the left begin."""
    right: float = 0.0
    notes: tuple[float, float] | None = None
    """Left edge and width of its notes; None for a host in the middle."""
    on_the_left: bool = False
    """Whether its bars and notes are on the left of its lane."""


@dataclass(frozen=True, slots=True)
class BarPlace:
    """A bar's left edge and width."""

    left: float
    width: float


@dataclass(slots=True)
class Columns:
    """The places for one scene."""

    scene: Scene
    lanes: list[Lane] = field(default_factory=list)
    bars: dict[Bar, BarPlace] = field(default_factory=dict)
    letters: dict[frozenset[Address | None], str] = field(default_factory=dict)
    """By the two ends of a connection; empty when there is only one."""
    width: float = 0.0
    _ends: list[Lane] = field(init=False)
    _names: LaneNames = field(init=False)

    def __post_init__(self) -> None:
        self._names = LaneNames(self.scene.timeline, [sent.segment for sent in self.scene.shown])
        ordered = zip(self._names.order, self._names.heads, strict=True)
        self._ends = [Lane(name, host, side) for (host, side), name in ordered]
        self._add_silent_hosts()
        self.lanes = list(self._ends)
        self._add_host_between()
        self._name_connections()
        self._spread()

    def ends(self, segment: Segment) -> tuple[float, float]:
        """From where to where its arrow goes."""
        source = self._ends[self._names.lane(segment.source, segment.destination)]
        target = self._ends[self._names.lane(segment.destination, segment.source)]
        if source.left <= target.left:
            return source.right, target.left
        return source.left, target.right

    def lane_of_host(self, host: str) -> Lane | None:
        """The lane where a host's rules and calls are told."""
        found = [lane for lane in self.lanes if lane.host == host]
        return next(iter(found or [lane for lane in self.lanes if lane.host == LOCALHOST]), None)

    def sender(self, segment: Segment) -> Lane:
        """The lane that a segment comes from."""
        return self._ends[self._names.lane(segment.source, segment.destination)]

    def lane_of_bar(self, bar: Bar) -> Lane | None:
        """The lane of an endpoint."""
        host, local, remote = bar.key
        if local.ip in self.scene.timeline.names.addresses.get(LOCALHOST, ()):
            host = LOCALHOST
        position = self._names.lane_of_end(host, local, remote)
        if position is not None:
            return self._ends[position]
        return next((lane for lane in self._ends if lane.host == bar.key[0]), None)

    def letter(self, one: Address, other: Address | None) -> str:
        """``A``, ``B``: which of several connections; empty for the only one and for a listener."""
        return self.letters.get(self._pair(one, other), "") if other else ""

    def _pair(self, one: Address, other: Address | None) -> frozenset[Address | None]:
        """Both ends, each as its own host calls it."""
        return frozenset(self.scene.timeline.rewritings.own(one, other))

    def _add_silent_hosts(self) -> None:
        """Hosts without a segment that have something to tell."""
        timeline = self.scene.timeline
        speaking = {bar.key[0] for bar in self.scene.bars if self.lane_of_bar(bar) is None}
        if all(lane.host != LOCALHOST for lane in self._ends):
            speaking |= {note.host for section in self.scene.sections for note in section.notes}
        speaking -= {lane.host for lane in self._ends} | timeline.between
        hosts = [host for host in timeline.names.addresses if host in speaking]
        after = list(timeline.names.addresses).index
        for host in hosts:
            known = [lane for lane in self._ends if lane.host in timeline.names.addresses]
            place = sum(after(lane.host) < after(host) for lane in known)
            self._ends.insert(place, Lane(host, host))

    def _add_host_between(self) -> None:
        """A router or switch gets a line in the middle; its captures say what it passed on."""
        timeline = self.scene.timeline
        for host in [host for host in timeline.frames if host in timeline.between][:1]:
            self.lanes.insert(len(self.lanes) // 2, Lane(host, host, passes_on=True))

    def _name_connections(self) -> None:
        pairs = [self._pair(*bar.key[1:]) for bar in self.scene.bars if bar.key[2]]
        pairs += [
            frozenset[Address | None]((s.segment.source, s.segment.destination))
            for s in self.scene.shown
        ]
        unique = list(dict.fromkeys(pairs))
        if len(unique) > 1:
            for number, pair in enumerate(unique):
                self.letters[pair] = chr(ord("A") + number) if number < 26 else "+"

    def _spread(self) -> None:
        """Places from left to right."""
        x = TIME
        reach = REACH if len(self._ends) <= 2 else SHORT_REACH
        for index, lane in enumerate(self.lanes):
            first, last = index == 0, index == len(self.lanes) - 1
            room = NOTES if self._has_notes(lane) else NO_NOTES
            lane.on_the_left = first
            if first:
                lane.notes = (x, room)
                x = self._place_bars(lane, x + room)
                x += GUTTER
            lane.left = lane.right = x
            if not first and not lane.passes_on:
                x = self._place_bars(lane, x + GUTTER)
            if not first and not last and not lane.passes_on:
                x += GUTTER
                lane.right = x
            if last and not first:
                lane.notes = (x + 6, room)
                x += room + 6
            between = lane.passes_on or (not last and self.lanes[index + 1].passes_on)
            x += 0 if last else (reach / 2 + 20 if between else reach)
        if len(self.lanes) == 1:
            x += ROOM_OF_ONE
        self.width = x + 10

    def _has_notes(self, lane: Lane) -> bool:
        notes = [note for section in self.scene.sections for note in section.notes]
        return any(self.lane_of_host(note.host) is lane for note in notes)

    def _place_bars(self, lane: Lane, x: float) -> float:
        """Put a lane's bars side by side, each as near to the lane as can be; gives the right edge.

        Endpoints that were there one after the other share a column.
        """
        own = [bar for bar in self.scene.bars if self.lane_of_bar(bar) is lane]
        columns: list[list[Bar]] = []
        for bar in [each for each in own if each.key[2] is not None]:
            for column in columns:
                if column[-1].end <= bar.start:
                    column.append(bar)
                    break
            else:
                columns.append([bar])
        width = WIDE if len(columns) <= MOST_WIDE else NARROW
        wide = [(column, width) for column in columns]
        listeners = [([bar], LISTENER) for bar in own if bar.key[2] is None]
        ordered = [*listeners, *wide] if lane.on_the_left else [*wide, *listeners]
        for column, size in ordered:
            self.bars.update({bar: BarPlace(x, size) for bar in column})
            x += size + BESIDE
        return x - BESIDE + STRIPE if ordered else x
