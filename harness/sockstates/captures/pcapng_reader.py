"""Reads pcapng, block by block: sections, interfaces, frames, comments, losses.

Other blocks are passed over. Format: draft-ietf-opsawg-pcapng. It never looks into a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from struct import Struct
from typing import BinaryIO, Final

Record = tuple[int, int, bytes, int, str]
"""Time (ns since the epoch), interface (its index), octets captured, octets on the wire, and the
direction where the file tells it: ``in``, ``out`` or empty."""

LARGEST_FRAME: Final = 4 * 1024 * 1024
"""No link carries so much in a frame: a length beyond this is a place where the file is broken."""
LARGEST_BLOCK: Final = 64 * 1024 * 1024

_SECTION, _INTERFACE, _PACKET, _SIMPLE, _STATISTICS, _FRAME = 0x0A0D0D0A, 1, 2, 3, 5, 6
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_COMMENT, _FLAGS, _NAME, _RESOLUTION, _OFFSET, _DROPPED = 1, 2, 2, 9, 14, 5
_APPLICATION: Final = 4
_DIRECTIONS: Final = ("", "in", "out", "")
_NANOSECONDS: Final = 1_000_000_000


class Broken(ValueError):
    """A place from which on a file cannot be read; the message says what is there."""


@dataclass(frozen=True, slots=True)
class CapturedOn:
    """An interface of a capture. link_type: pcap's number; clock: from its ticks to ns."""

    link_type: int
    name: str = ""
    longest: int = 0
    """The most octets of a frame that were captured; 0 for all."""
    clock: Callable[[int], int] = int


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote into the file about a frame (counted from 0), or, None, about it all."""

    frame: int | None
    text: str


@dataclass(slots=True)
class Findings:
    """What a capture file tells beside its frames, as far as it has been read."""

    interfaces: list[CapturedOn] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What could not be read, or was not captured."""
    application: str = ""
    """What wrote the file, as its first section says."""
    frames: int = 0
    latest: int = 0
    """The latest stamp so far (ns)."""
    backwards: int = 0
    """How far at most a stamp lies before that of a frame ahead of it in the file (ns)."""
    stamped_early: int = 0
    """How many frames have a stamp before that of a frame ahead of them."""
    without_stamp: int = 0
    """Frames that the file gives no stamp; each counts as captured with the one before it."""

    def steps_back(self, time: int) -> None:
        """Note a frame whose stamp, `time`, is before the latest one."""
        self.stamped_early += 1
        self.backwards = max(self.backwards, self.latest - time)


@dataclass(slots=True)
class _Section:
    """The order of octets of a section, and where its interfaces begin among all."""

    order: str
    first: int
    head: Struct
    frame: Struct

    @classmethod
    def of(cls, order: str, first: int) -> _Section:
        return cls(order, first, Struct(order + "II"), Struct(order + "IIIII"))


def read_blocks(file: BinaryIO, found: Findings) -> Iterator[Record]:
    """The frames of a pcapng file. Raises Broken where it ends within a block or contradicts."""
    section = _Section.of("<", 0)
    position = 0
    while head := file.read(8):
        if len(head) < 8:
            raise Broken(f"the file ends within a block, the one at octet {position}")
        kind, size = section.head.unpack(head)
        magic = file.read(4) if kind == _SECTION else b""
        if magic:
            section = _new_section(magic, found, position)
            size = section.head.unpack(head)[1]
        if not 12 + len(magic) <= size <= LARGEST_BLOCK or size % 4:
            raise Broken(f"the block at octet {position}, kind {kind}, says it has {size} octets")
        body = magic + file.read(size - 8 - len(magic))
        if len(body) < size - 8:
            raise Broken(f"the file ends within a block, the one at octet {position}")
        if kind == _FRAME:
            yield _frame(body, section, found)
        elif kind in (_PACKET, _SIMPLE):
            yield _older_frame(kind, body, section, found)
        elif kind == _INTERFACE:
            found.interfaces.append(_interface(body, section))
        elif kind == _SECTION:
            _comments(None, body[16:-4], section, found)
            said = dict(_options(body[16:-4], section.order)).get(_APPLICATION, b"")
            found.application = found.application or said.decode("utf-8", "replace")
        elif kind == _STATISTICS:
            _losses(body, section, found)
        position += size


def _new_section(magic: bytes, found: Findings, position: int) -> _Section:
    order = _ORDERS.get(magic)
    if order is None:
        raise Broken(f"the section at octet {position} does not say its order of octets")
    return _Section.of(order, len(found.interfaces))


def _interface(body: bytes, section: _Section) -> CapturedOn:
    if len(body) < 12:
        raise Broken("the description of an interface has no room for its link type")
    link_type, longest = Struct(section.order + "HxxI").unpack_from(body)
    options = dict(_options(body[8:-4], section.order))
    name = options.get(_NAME, b"").decode("utf-8", "replace").rstrip("\0")
    resolution = options.get(_RESOLUTION, b"\x06")[:1] or b"\x06"
    offset = options.get(_OFFSET, bytes(8))
    seconds = int.from_bytes(offset, "little" if section.order == "<" else "big", signed=True)
    clock = partial(_nanoseconds, resolution[0], seconds * _NANOSECONDS)
    return CapturedOn(link_type, name, longest, clock)


def _nanoseconds(resolution: int, offset: int, ticks: int) -> int:
    """if_tsresol: a power of ten, or of two where the highest bit is set."""
    if resolution & 0x80:
        return (ticks * _NANOSECONDS >> (resolution & 0x7F)) + offset
    if resolution <= 9:
        return ticks * int(10 ** (9 - resolution)) + offset
    return ticks // int(10 ** (resolution - 9)) + offset


def _frame(body: bytes, section: _Section, found: Findings) -> Record:
    """An enhanced packet block."""
    if len(body) < 24:
        raise Broken("a frame's block has no room for its header")
    number, upper, lower, captured, length = section.frame.unpack_from(body)
    end = 20 + captured
    if captured > LARGEST_FRAME or end > len(body) - 4:
        raise Broken(f"frame {found.frames + 1} is said to have {captured} octets")
    where = section.first + number
    if where >= len(found.interfaces):
        raise Broken(f"frame {found.frames + 1} is of interface {number}, which is not described")
    direction = ""
    options = body[end + (-captured & 3) : -4]
    if options:
        direction = _said_of_frame(options, section, found)
    found.frames += 1
    time = found.interfaces[where].clock(upper << 32 | lower)
    if time >= found.latest:
        found.latest = time
    else:
        found.steps_back(time)
    return time, where, body[20:end], length, direction


def _said_of_frame(options: bytes, section: _Section, found: Findings) -> str:
    """The frame's direction; its comments are put with the findings."""
    direction = ""
    for code, value in _options(options, section.order):
        if code == _FLAGS and len(value) == 4:
            direction = _DIRECTIONS[value[0 if section.order == "<" else 3] & 3]
        elif code == _COMMENT:
            found.comments.append(Comment(found.frames, value.decode("utf-8", "replace")))
    return direction


def _older_frame(kind: int, body: bytes, section: _Section, found: Findings) -> Record:
    """A simple packet block, which knows no time, or an obsolete packet block."""
    if kind == _PACKET:
        if len(body) < 24:
            raise Broken("a frame's block has no room for its header")
        number, rest = Struct(section.order + "H").unpack_from(body)[0], body[4:]
        return _frame(Struct(section.order + "I").pack(number) + rest, section, found)
    if len(body) < 8 or section.first >= len(found.interfaces):
        raise Broken(f"frame {found.frames + 1} is of an interface that is not described")
    (length,) = Struct(section.order + "I").unpack_from(body)
    captured = min(length, found.interfaces[section.first].longest or length, len(body) - 8)
    found.frames += 1
    found.without_stamp += 1
    return found.latest, section.first, body[4 : 4 + captured], length, ""


def _losses(body: bytes, section: _Section, found: Findings) -> None:
    """What the capture itself says it lost."""
    for code, value in _options(body[12:-4], section.order):
        if code == _DROPPED and len(value) == 8:
            count = int.from_bytes(value, "little" if section.order == "<" else "big")
            number = section.first + Struct(section.order + "I").unpack_from(body)[0]
            known = found.interfaces[number : number + 1]
            name = f" on {known[0].name}" if known and known[0].name else ""
            if count:
                found.remarks.append(f"the capture lost {count} frames{name} while it was made")


def _comments(frame: int | None, options: bytes, section: _Section, found: Findings) -> None:
    for code, value in _options(options, section.order):
        if code == _COMMENT:
            found.comments.append(Comment(frame, value.decode("utf-8", "replace")))


def _options(octets: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option, as far as they can be read."""
    head = Struct(order + "HH")
    position = 0
    while position + 4 <= len(octets):
        code, length = head.unpack_from(octets, position)
        if code == 0:
            break
        yield code, octets[position + 4 : position + 4 + length]
        position += 4 + length + (-length & 3)
