"""Reads capture files, whoever wrote them: pcap and pcapng, either order of octets, any clock.

A file is read from front to back and never held in memory. Where it is cut off or broken the
frames before that place are given, and `found.remarks` says what could not be read; only a file
that is no capture at all is refused. What the frames hold is nobody's business here.

Formats: pcap(5), draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

from sockstates.captures.pcapng_reader import (
    LARGEST_FRAME,
    Broken,
    CapturedOn,
    Findings,
    Record,
    read_blocks,
)

PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
PCAP: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
"""The first four octets -> order of octets, and nanoseconds in a unit of the frames' fractions."""
COMPRESSED: Final = {
    b"\x1f\x8b": "gzip; `gunzip -k` unpacks it",
    b"\x28\xb5": "zstd; `unzstd -k` unpacks it",
    b"\x04\x22": "lz4; `unlz4 -k` unpacks it",
}
_NANOSECONDS: Final = 1_000_000_000


Sieve = Callable[[int, bytes, int], bool]
"""Says of a frame whether it is wanted, from link type, octets captured, octets on the wire."""


class NotACapture(ValueError):
    """A file that no frame can be read from; the message says what it is instead."""


class CaptureFile:
    """One capture file. `found` is complete when `records` has come to its end."""

    def __init__(self, path: Path | str, sieve: Sieve | None = None) -> None:
        """With a sieve, only the frames that it lets through are there.

        Raises NotACapture for what is none, and OSError where the file cannot be read.
        """
        self.path = Path(path)
        self._sieve = sieve
        self.found = Findings()
        self.has_copies = False
        """Whether one packet may lie in it several times; set by who has found one."""
        self.disorder = 0
        """How far apart (ns) stamps may be that are in the wrong order in the file.

        0: the frames are given in the file's order. Else in that of their stamps; whoever finds
        `found.backwards` after having read the file sets it to that.
        """
        with self.path.open("rb") as file:
            self._magic = file.read(4)
        _check(self._magic)

    def records(self) -> Iterator[Record]:
        """The frames, in the file's order or, with `disorder`, in that of their stamps.

        Can be asked for again: the file is read again.
        """
        records = self._read() if self._sieve is None else self._sifted(self._sieve)
        return by_stamp(records, self.disorder) if self.disorder else records

    def _sifted(self, sieve: Sieve) -> Iterator[Record]:
        for record in self._read():
            _, interface, data, length, _ = record
            if sieve(self.found.interfaces[interface].link_type, data, length):
                yield record

    def _read(self) -> Iterator[Record]:
        found = self.found = Findings()
        with self.path.open("rb", buffering=1024 * 1024) as file:
            try:
                if self._magic == PCAPNG:
                    yield from read_blocks(file, found)
                else:
                    yield from _read_pcap(file, self._magic, found)
            except Broken as broken:
                found.remarks.append(f"{broken}; {_before(found.frames)}")


def _check(magic: bytes) -> None:
    if magic in PCAP or magic == PCAPNG:
        return
    if not magic:
        raise NotACapture("it is empty")
    if magic[:2] in COMPRESSED:
        raise NotACapture(f"it is compressed with {COMPRESSED[magic[:2]]}")
    raise NotACapture(
        f"it begins with the octets {magic.hex(' ')}, as neither pcap nor pcapng does"
    )


def _read_pcap(file: BinaryIO, magic: bytes, found: Findings) -> Iterator[Record]:
    order, unit = PCAP[magic]
    header = file.read(24)
    if len(header) < 24:
        raise Broken("the file ends within its header")
    (link_type,) = Struct(order + "I").unpack_from(header, 20)
    found.interfaces.append(CapturedOn(link_type & 0xFFFF))
    latest = 0
    read, unpack = file.read, Struct(order + "IIII").unpack
    while head := read(16):
        if len(head) < 16:
            raise Broken(f"the file ends within the header of frame {found.frames + 1}")
        seconds, fraction, captured, length = unpack(head)
        if captured > LARGEST_FRAME:
            raise Broken(f"frame {found.frames + 1} is said to have {captured} octets")
        data = read(captured)
        if len(data) < captured:
            raise Broken(f"the file ends within frame {found.frames + 1}")
        found.frames += 1
        time = seconds * _NANOSECONDS + fraction * unit
        if time < latest:
            found.latest = latest
            found.steps_back(time)
        else:
            latest = time
        yield time, 0, data, length, ""


def by_stamp(records: Iterator[Record], disorder: int) -> Iterator[Record]:
    """The same frames in the order of their stamps; those of one stamp in the order given.

    disorder: no frame's stamp is more than this (ns) before that of a frame given ahead of it. So
    what is that much older than the latest frame cannot be preceded any more, and only frames that
    lie closer together than that are in memory.
    """
    waiting: list[tuple[int, int, Record]] = []
    latest = 0
    for number, record in enumerate(records):
        heapq.heappush(waiting, (record[0], number, record))
        latest = max(latest, record[0])
        while waiting[0][0] < latest - disorder:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _before(frames: int) -> str:
    if not frames:
        return "not one frame comes before that"
    if frames == 1:
        return "what follows is lost, the one frame before it is not"
    return f"what follows is lost, the {frames} frames before it are not"
