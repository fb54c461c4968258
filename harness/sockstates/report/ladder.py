"""The timeline as a ladder diagram: a lane for each host, an arrow for each segment.

Times are those of the sender's capture. A segment that the capture at its destination does not
have ends in an ``x``, and so does one that a filter dropped, with the rule beside the ``x``. States
stand at their host's lane at the moment that the kernel told, or where a sample saw them first.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sockstates.record.events import NANOSECONDS, Step
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.report.clock import duration, moment
from sockstates.report.delivery import Loss
from sockstates.report.drawing import TIME_WIDTH, Lanes
from sockstates.report.lanes import LaneNames
from sockstates.report.rewriting_words import rewriting_lines
from sockstates.report.story import (
    ALWAYS,
    Item,
    Note,
    Reached,
    Released,
    Sent,
    Silence,
    Story,
    with_silences,
)
from sockstates.report.words import action
from sockstates.tcp.icmp import IcmpError
from sockstates.tcp.inference import Inferred
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State
from sockstates.terminal import harmless


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
    story = Story(timeline)
    shown = story.sent[-last:] if last else story.sent
    drawing = _Ladder(story, shown, width, calls)
    items = [item for item in story.items(inferred) if drawing.has(item)]
    if not shown:
        nothing = "no TCP segment was captured"
        lines = [nothing, "", drawing.head(), *drawing.lines(items)] if items else [nothing]
        return harmless("\n".join(lines))
    start = next(place for place, item in enumerate(items) if item is shown[0]) if last else 0
    said = [item for item in items[:start] if isinstance(item, Step)][-1:]
    items = list(with_silences(items[start:], until))
    lines = [drawing.head(), *drawing.lines([*said, *items], until), *drawing.legend()]
    return harmless("\n".join(lines))


@dataclass
class _Ladder:
    """One diagram while it is drawn."""

    story: Story
    shown: list[Sent]
    width: int
    calls: bool

    def __post_init__(self) -> None:
        self.timeline = self.story.timeline
        self.names = LaneNames(self.timeline, [sent.segment for sent in self.shown])
        self.lanes = Lanes.spread(len(self.names.heads), self.width)

    def has(self, item: Item) -> bool:
        """Whether there is a place for it."""
        match item:
            case Note() if not self.calls and item.kind not in ALWAYS:
                return False
            case Note(kind="rule" | "setting"):
                return True
            case Note():
                return self.names.lane_of_end(*self._end(item)) is not None
            case Reached():
                return self.names.lane_of_end(*item.key) is not None
        return True

    def head(self) -> str:
        """The names of the lanes."""
        lines = [self.lanes.heads(self.names.heads)]
        if any(self.names.sides):
            lines.append(self.lanes.heads(self.names.sides))
        return "\n".join(lines)

    def legend(self) -> list[str]:
        """What the marks mean here, and whose addresses were rewritten; nothing without any."""
        lost = [sent.loss for sent in self.shown if sent.loss]
        lines = rewriting_lines(self.timeline, [sent.segment for sent in self.shown])
        if any(sent.released for sent in self.shown):
            lines.append("o: the wire kept it, and let it go on where its arrow does")
        if any(not loss.rule for loss in lost):
            lines.append("x: captured leaving its sender, and not at its destination")
        if any(loss.rule.startswith("-") for loss in lost):
            lines.append("x with a rule: what the filter says that the rule dropped or rejected")
        if any(loss.rule and not loss.rule.startswith("-") for loss in lost):
            lines.append("x with other words: what stopped it on its way, or was wrong with it")
        wrapped = [part for line in lines for part in textwrap.wrap(line, self.width)]
        return ["", *wrapped] if wrapped else []

    def lines(self, items: Iterable[Item], since_then: int | None = None) -> Iterator[str]:
        """The diagram itself. since_then: the moment (ns) until which a last silence goes on."""
        for item in items:
            match item:
                case Sent():
                    yield from self._arrow(item)
                case Released():
                    words = f"{item.sent.numbered.words()[0]} {self._delay(item.sent)} later"
                    ends, loss = self._ends(item.sent), item.sent.loss
                    lost = action(loss.rule) if loss and loss.rule else self._lost(loss)
                    yield self.lanes.arrival(self._moment(item), ends, words, lost)
                case Silence():
                    when = " since then" if item.time == since_then else ""
                    length = duration((item.time - item.began) / NANOSECONDS)
                    yield self.lanes.between(f"... {length} of silence{when} ...")
                case Reached():
                    yield from self._beside(item, item.key, item.text)
                case Note(kind="rule" | "setting"):
                    yield from self._remark(item, "   ", f"{item.host}: {item.text}")
                case Note(error=IcmpError() as error):
                    yield from self._icmp(item, error)
                case Note():
                    yield from self._beside(item, self._end(item), item.text)
                case Step():
                    yield ""
                    yield from self._remark(item, "== ", item.text)

    def _moment(self, item: Item) -> str:
        return moment(self.timeline, item.time)

    def _ends(self, sent: Sent) -> tuple[int, int]:
        """The lanes from which and to which it goes."""
        segment = sent.segment
        return (
            self.names.lane(segment.source, segment.destination),
            self.names.lane(segment.destination, segment.source),
        )

    def _arrow(self, sent: Sent) -> Iterator[str]:
        ends, below = self._ends(sent), ""
        lost, mark = (sent.kept, "o") if sent.kept else (self._lost(sent.loss), "x")
        remarks = [each.removesuffix(sent.kept) for each in sent.numbered.remarks]
        said = [*filter(None, remarks), *filter(None, [sent.numbered.tls])]
        words = self._words(sent, sent.numbered.words(remarks=False))
        if self.lanes.has_room(ends, [*words, *said], lost):
            words += said
        elif self.lanes.has_room(ends, [each for each in words if each[:4] != "ack "], lost):
            below = "; ".join(said)
        else:
            numbers = [each for each in words[1:] if not each.startswith("length")]
            below = "; ".join(filter(None, [", ".join(numbers), *said]))
            if sent.loss and sent.loss.rule and not self.lanes.has_room(ends, words[:1], lost):
                lost, below = action(sent.loss.rule), f"{below}; {lost}"
            words = words[:1]
        yield self.lanes.arrow(self._moment(sent), ends, words, lost, mark)
        if below:
            yield from self.lanes.below(ends, below)

    def _words(self, sent: Sent, words: list[str]) -> list[str]:
        flags, *others = words
        if self.names.several:
            flags = f"{sent.segment.source.port} > {sent.segment.destination.port} {flags}"
        return [flags, *others]

    def _delay(self, sent: Sent) -> str:
        return duration((sent.released - sent.time) / NANOSECONDS)

    def _lost(self, loss: Loss | None) -> str:
        """What stands where the arrow breaks off; empty where it does not."""
        if loss is None:
            return ""
        if loss.rule and loss.where not in self.timeline.between:
            return loss.rule
        where = f"in {loss.where}" if loss.where else "lost"
        return f"{where}: {loss.rule}" if loss.rule else where

    def _icmp(self, item: Note, error: IcmpError) -> Iterator[str]:
        """An arrow from who sent the error, where it has a lane; else words beside the receiver."""
        names = self.timeline.names
        ends = (
            self.names.lane_of_host(names.host(error.source)),
            self.names.lane_of_end(item.host, item.local or error.sender, item.remote),
        )
        ports = f"for {error.sender.port} > {error.receiver.port}"
        if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
            yield from self._beside(item, self._end(item), item.text)
        else:
            words = [f"ICMP {error.reason}", ports]
            yield self.lanes.arrow(self._moment(item), (ends[0], ends[1]), words)

    def _end(self, item: Note) -> EndpointKey:
        return item.host, item.local or Address("", 0), item.remote

    def _beside(self, item: Reached | Note, key: EndpointKey, text: str) -> Iterator[str]:
        """Words at the lane of an endpoint, with its ports where there are several connections."""
        lane = self.names.lane_of_end(*key)
        if lane is not None:
            text = f"{self._which(item, key)}{text}"
            yield from self.lanes.beside(self._moment(item), lane, text)

    def _which(self, item: Reached | Note, key: EndpointKey) -> str:
        """Which socket of a host is meant, where it may be another one."""
        _, local, remote = key
        if remote is None:
            is_end = isinstance(item, Reached) and item.text != State.LISTEN
            return f"listener {local.port} " if is_end else ""
        if not self.names.several or not local.port:
            return ""
        ends = f"{local.port}" if self.names.is_alone(local) else f"{local.port} > {remote.port}"
        return f"{ends} " if isinstance(item, Reached) else f"{ends}: "

    def _remark(self, item: Item, mark: str, text: str) -> Iterator[str]:
        """A step in its own words; a rule or a setting under its host's name."""
        first = self._moment(item).ljust(TIME_WIDTH) + mark
        yield from textwrap.wrap(
            text,
            self.width,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_on_hyphens=False,
        )
