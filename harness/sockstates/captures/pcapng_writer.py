"""Writes captured frames as pcapng, for Wireshark, tshark and tcpdump.

One section; an interface for each host's interface, named like "client:eth0"; nanosecond times;
directions; comments; and how many frames were dropped. Format: draft-ietf-opsawg-pcapng. The
module turns data into octets and knows nothing of what the frames hold.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from sockstates.record.frames import CapturedFrame
from sockstates.terminal import harmless

ETHERNET: Final = 1
LARGEST_FRAME: Final = 262_144
"""Of every interface alike, because tcpdump refuses files whose interfaces differ in it."""

_SECTION, _INTERFACE, _STATISTICS, _FRAME = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = -1
_NANOSECONDS: Final = 9
_DIRECTIONS: Final = {"in": 1, "out": 2}

# Option codes; 1 is a comment in every block, the others belong to the block named.
_COMMENT = 1
_SECTION_HARDWARE, _SECTION_SYSTEM, _SECTION_APPLICATION = 2, 3, 4
_INTERFACE_NAME, _INTERFACE_DESCRIPTION, _INTERFACE_RESOLUTION, _INTERFACE_FILTER = 2, 3, 9, 11
_FRAME_FLAGS = 2
_STATISTICS_RECEIVED, _STATISTICS_DROPPED = 4, 5


@dataclass(frozen=True, slots=True)
class CaptureInterface:
    """An interface that was captured on, whether it saw a frame or not.

    name: as the frames name it. filter: the expression that let its frames through, in tcpdump's
    words. received, dropped: frames that the kernel offered to the capture,
    and those of them it had to drop; None when that is not known.
    """

    name: str
    description: str = ""
    received: int | None = None
    dropped: int | None = None
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """What is said about the capture as a whole; empty texts are left out."""

    hardware: str = ""
    system: str = ""
    application: str = "sockstates"
    comment: str = ""


def write_pcapng(
    path: Path | str | BinaryIO,
    frames: Sequence[CapturedFrame],
    interfaces: Iterable[CaptureInterface] = (),
    comments: Mapping[int, str] | None = None,
    section: Section | None = None,
) -> None:
    """Write `frames`, in the order given, to a new file at `path`, or to an open one.

    interfaces: those to describe; what only frames name is added. comments: by the index of the
    frame. Raises ValueError for a frame that pcapng cannot hold, OSError for the file.
    """
    with Path(path).open("wb") if isinstance(path, Path | str) else nullcontext(path) as file:
        for block in pcapng_blocks(frames, interfaces, comments, section):
            file.write(block)


def pcapng_blocks(
    frames: Sequence[CapturedFrame],
    interfaces: Iterable[CaptureInterface] = (),
    comments: Mapping[int, str] | None = None,
    section: Section | None = None,
) -> Iterator[bytes]:
    """The blocks of the file that `write_pcapng` writes, one after the other."""
    described = {interface.name: interface for interface in interfaces}
    for frame in frames:
        described.setdefault(frame.interface, CaptureInterface(frame.interface))
    links = {frame.interface: frame.link_type for frame in frames}
    numbers = {name: number for number, name in enumerate(described)}
    comments = {} if comments is None else comments
    yield _section_block(Section() if section is None else section)
    for interface in described.values():
        yield _interface_block(interface, links.get(interface.name, ETHERNET))
    for index, frame in enumerate(frames):
        yield _frame_block(frame, numbers[frame.interface], comments.get(index, ""))
    last = max((frame.time for frame in frames), default=0)
    for interface in described.values():
        if interface.received is not None or interface.dropped is not None:
            yield _statistics_block(interface, numbers[interface.name], last)


def _section_block(section: Section) -> bytes:
    options = (
        _text(_COMMENT, section.comment)
        + _text(_SECTION_HARDWARE, section.hardware)
        + _text(_SECTION_SYSTEM, section.system)
        + _text(_SECTION_APPLICATION, section.application)
    )
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION, body, options)


def _interface_block(interface: CaptureInterface, link_type: int) -> bytes:
    options = (
        _text(_INTERFACE_NAME, interface.name)
        + _text(_INTERFACE_DESCRIPTION, interface.description)
        + _option(_INTERFACE_RESOLUTION, bytes([_NANOSECONDS]))
        + _filter(interface.filter)
    )
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, LARGEST_FRAME), options)


def _frame_block(frame: CapturedFrame, number: int, comment: str) -> bytes:
    if len(frame.data) > LARGEST_FRAME or frame.length < len(frame.data):
        raise ValueError(
            f"a frame on {frame.interface} has {len(frame.data)} octets captured of "
            f"{frame.length}; at most all of them and {LARGEST_FRAME} can be written"
        )
    header = struct.pack("<IIIII", number, *_moment(frame.time), len(frame.data), frame.length)
    flags = struct.pack("<I", _DIRECTIONS[frame.direction])
    options = _text(_COMMENT, comment) + _option(_FRAME_FLAGS, flags)
    return _block(_FRAME, header + _padded(frame.data), options)


def _statistics_block(interface: CaptureInterface, number: int, time: int) -> bytes:
    options = b"".join(
        _option(code, struct.pack("<Q", count))
        for code, count in (
            (_STATISTICS_RECEIVED, interface.received),
            (_STATISTICS_DROPPED, interface.dropped),
        )
        if count is not None
    )
    return _block(_STATISTICS, struct.pack("<III", number, *_moment(time)), options)


def _moment(time: int) -> tuple[int, int]:
    """Nanoseconds since the epoch as the format wants them: the upper and the lower half."""
    if not 0 <= time < 2**64:
        raise ValueError(f"{time} is not a time in nanoseconds since the epoch")
    return time >> 32, time & 0xFFFF_FFFF


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _text(code: int, text: str) -> bytes:
    """A text option, cut to the 65535 octets that one can hold; nothing for an empty text."""
    value = harmless(text).encode("utf-8", "replace")[:0xFFFF].decode("utf-8", "ignore").encode()
    return _option(code, value) if value else b""


def _filter(expression: str) -> bytes:
    """if_filter; its first octet says that a filter in libpcap's words follows."""
    value = harmless(expression).encode()
    return _option(_INTERFACE_FILTER, b"\0" + value[:0xFFFE]) if expression else b""


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    if options:
        options += struct.pack("<HH", 0, 0)  # end of options
    length = struct.pack("<I", 12 + len(body) + len(options))
    return struct.pack("<I", kind) + length + body + options + length
