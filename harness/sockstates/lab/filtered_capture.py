"""A capture that the scenario chose, as it holds it: which frames a filter expression let through.

tcpdump's choices in tcpdump's words. It runs from the moment it is made until `stop`, or until the
lab ends; what it kept lies beside the host's own capture in the report. It judges nothing.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from sockstates.captures.libpcap import FilterRefused, LibpcapMissing
from sockstates.lab.words import HasWords
from sockstates.record.events import CaptureChosen
from sockstates.record.frames import CapturedFrame
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.witnesses.capture import direction_of
from sockstates.sandbox.witnesses.packet_ring import RingFrame, frames_of
from sockstates.tcp.dissect import dissect
from sockstates.tcp.links import COOKED_2, ETHERNET
from sockstates.tcp.packet_output import PacketPrinter
from sockstates.tcp.segment import Segment
from sockstates.tcp.tcpdump_output import Style

if TYPE_CHECKING:
    from sockstates.lab.host import Host

Direction = Literal["in", "out", "inout"]
ANY: Final = "any"
_COOKED_2: Final = struct.Struct("!HxxIHBB8s")
"""LINKTYPE_LINUX_SLL2: protocol, interface, link, kind of packet, length of address, address."""


class FilteredCapture(HasWords):
    """What passed one interface of a host, or all, one way or both, and satisfied an expression."""

    def __init__(
        self, host: Host, expression: str, *, direction: Direction, interface: str
    ) -> None:
        self.host = host
        self.expression = expression
        self.direction = direction
        self.interface = interface
        self._line = host.line
        self._check()
        timeline = host.lab.timeline
        self.number = len(timeline.chosen) + 1
        self._frames = timeline.chosen[self.number]
        self._running = True
        self._line.captures[self.number] = self
        self._begin()
        self._tell("began")

    def __repr__(self) -> str:
        what = f"{self.expression!r}, " if self.expression else ""
        return f"<capture on {self.host.name}: {what}{self.interface}, {self.direction}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _check(self) -> None:
        """Refuse what cannot be meant, before anything is made."""
        name, known = self.host.name, self._line.frames.interfaces
        if not isinstance(self.expression, str):
            raise LabError(
                f"{name}: a filter is a text, not {self.expression!r}: "
                f'{name}.capture("tcp port 80")'
            )
        if self.direction not in get_args(Direction):
            raise LabError(
                f"{name}: a capture's direction is {', '.join(get_args(Direction))}, "
                f"not {self.direction!r}"
            )
        names = [ANY, *(each.partition(":")[2] for each in known.values())]
        if self.interface not in names:
            raise LabError(
                f"{name} has no interface {self.interface!r}; it has {', '.join(names[1:])}, "
                f"and {ANY!r} means all of them"
            )

    def _begin(self) -> None:
        try:
            self.host.agent.captures.begin(self.number, self.expression, self.interface)
        except (FilterRefused, LibpcapMissing) as refusal:
            self._line.captures.pop(self.number)
            self.host.lab.timeline.chosen.pop(self.number)
            raise LabError(f"{self.host.name}: {refusal}") from None

    def _tell(self, change: str) -> None:
        self.host.lab.timeline.add(
            CaptureChosen(
                time.time_ns(),
                self.host.name,
                self.number,
                change,
                self.expression,
                self.interface,
                self.direction,
                len(self._frames),
            )
        )

    def stop(self) -> None:
        """End it: what comes from now on is not in it. Nothing happens when it has ended."""
        if self._running:
            self._running = False
            self.host.agent.captures.end(self.number)
            self._tell("ended")

    def take_in(self, block: bytes) -> None:
        """Keep the frames of a block that the host's agent has sent."""
        self._frames += self._kept(block)

    def _kept(self, block: bytes) -> Iterator[CapturedFrame]:
        names = self._line.frames.interfaces
        for frame in frames_of(block):
            direction = direction_of(frame)
            if direction is None or self.direction not in (direction, "inout"):
                continue
            cooked = _cooked_header(frame) if self.interface == ANY else b""
            index = frame.interface
            yield CapturedFrame(
                time=frame.time,
                interface=names.get(index, f"{self.host.name}:if{index}"),
                direction=direction,
                data=cooked + frame.data,
                length=len(cooked) + frame.length,
                link_type=COOKED_2 if self.interface == ANY else ETHERNET,
            )

    @property
    def frames(self) -> tuple[CapturedFrame, ...]:
        """What it has captured by now, in that order.

        With one interface these are Ethernet frames. With ``any`` the link's header is libpcap's
        cooked one (LINKTYPE_LINUX_SLL2), as in a file of ``tcpdump -i any``.
        """
        if self._running:
            self.host.settle()
        return tuple(self._frames)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The TCP segments among its frames. Raises Malformed for one that contradicts itself."""
        found = (dissect(each.data, each.time, each.link_type) for each in self.frames)
        return tuple(each for each in found if each is not None)

    def lines(self, style: Style | None = None) -> tuple[str, ...]:
        """Its frames as ``tcpdump -nn`` prints them, a text each (with -v one may have two lines).

        Times are UTC unless the style says otherwise.
        """
        printer = PacketPrinter(style)
        names = {index: name.partition(":")[2] for index, name in self._names.items()}
        return tuple(
            printer.text(each.time, each.data, each.link_type, names) for each in self.frames
        )

    @property
    def _names(self) -> dict[int, str]:
        return self._line.frames.interfaces


def _cooked_header(frame: RingFrame) -> bytes:
    """What libpcap puts before a packet that was captured without its link's header."""
    address = frame.address
    return _COOKED_2.pack(
        frame.protocol, frame.interface, frame.link, frame.kind, len(address), address
    )
