"""perf_event_open(2): the kernel's tracepoints, written into one ring for each processor.

Everything hangs on file descriptors and is gone with them; no tracing instance, no file is made.
The sandbox opens (its descriptors are many, and never reach a program), the test process reads:
it gets one descriptor a processor. The times are CLOCK_MONOTONIC's: of the clocks that the kernel
offers for tracepoints (those that an NMI may read) it is the one that runs as CLOCK_REALTIME does,
and `WallClock` turns it into that. Nothing here knows what an event means.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_CALL = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "loongarch64": 241, "s390x": 331}
"""perf_event_open's number by machine; linux/unistd.h."""
ONLINE = Path("/sys/devices/system/cpu/online")

TYPE_SOFTWARE, TYPE_TRACEPOINT = 1, 2
COUNT_DUMMY = 9
SAMPLE_TASK, SAMPLE_TIME, SAMPLE_PROCESSOR, SAMPLE_RAW = 1 << 1, 1 << 2, 1 << 7, 1 << 10
DISABLED, NAMES, WATERMARK, SAMPLE_ID_ALL = 1 << 0, 1 << 9, 1 << 14, 1 << 18
USE_CLOCK, NAMESPACES = 1 << 25, 1 << 28
CLOSE_ON_EXEC = 1 << 3
ENABLE, SET_OUTPUT, SET_FILTER = 0x2400, 0x2405, 0x40082406
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQQQQIiQIHH")
"""struct perf_event_attr, as long as it was when it got `clockid` and little more (VER5)."""
EVERY_TASK = -1

HEAD, TAIL = 1024, 1032
"""Where struct perf_event_mmap_page has data_head and data_tail."""
MOST_MEMORY = 16 << 20
MOST_FOR_ONE, LEAST_FOR_ONE = 512 << 10, 64 << 10
"""Octets of all rings together, and of one ring."""

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An event to be recorded: its number, and the kernel's filter for it (empty: none)."""

    number: int
    filter: str = ""


def online_processors() -> list[int]:
    """The processors that run just now: /sys/devices/system/cpu/online, ``0-3,6``."""
    found: list[int] = []
    for part in ONLINE.read_text().strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def ring_size(processors: int) -> int:
    """Octets of each processor's ring: a power of two, smaller where there are many."""
    share = max(LEAST_FOR_ONE, min(MOST_FOR_ONE, MOST_MEMORY // max(1, processors)))
    return 1 << (share.bit_length() - 1)


def _open(kind: int, config: int, processor: int, flags: int, watermark: int) -> int:
    number = SYSTEM_CALL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"perf_event_open: its number on {platform.machine()} unknown")
    sampled = SAMPLE_TASK | SAMPLE_TIME | SAMPLE_PROCESSOR
    attributes = _ATTRIBUTES.pack(
        *(kind, _ATTRIBUTES.size, config, 1),
        *(sampled | (SAMPLE_RAW if kind == TYPE_TRACEPOINT else 0), 0),
        *(flags | WATERMARK | SAMPLE_ID_ALL | USE_CLOCK, watermark),
        *(0, 0, 0, 0, 0, 0, time.CLOCK_MONOTONIC, 0, 0, 0, 0),
    )
    result = int(_libc.syscall(number, attributes, EVERY_TASK, processor, -1, CLOSE_ON_EXEC))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"perf_event_open: {os.strerror(error)}")
    return result


@dataclass(slots=True)
class OpenEvents:
    """What the opening process holds, and must hold, for the rings to be filled."""

    rings: list[int] = field(default_factory=list)
    """A descriptor for each processor's ring; whoever maps one of them can read it."""
    _sources: list[int] = field(default_factory=list)
    _maps: list[mmap.mmap] = field(default_factory=list)

    def close(self) -> None:
        """Let go of everything; the kernel stops recording."""
        for mapped in self._maps:
            mapped.close()
        for descriptor in (*self._sources, *self.rings):
            os.close(descriptor)
        self.rings, self._sources, self._maps = [], [], []

    def close_in_child(self) -> None:
        """Let go of what fork(2) handed on: descriptors. The maps stayed with the parent."""
        for descriptor in (*self._sources, *self.rings):
            os.close(descriptor)

    def open_on(self, processor: int, events: list[Wanted], size: int) -> None:
        """One ring, with every event of this processor in it, and where its tasks live."""
        # Only who asks for names too is told of namespaces: is_sb_event of kernel/events/core.c.
        leader = _open(TYPE_SOFTWARE, COUNT_DUMMY, processor, NAMES | NAMESPACES, size // 2)
        self.rings.append(leader)
        self._maps.append(mmap.mmap(leader, mmap.PAGESIZE + size))
        for event in events:
            source = _open(TYPE_TRACEPOINT, event.number, processor, DISABLED, size // 2)
            self._sources.append(source)
            if event.filter:
                fcntl.ioctl(source, SET_FILTER, event.filter.encode() + b"\0")
            fcntl.ioctl(source, SET_OUTPUT, leader)
            fcntl.ioctl(source, ENABLE)


def open_events(events: Iterable[Wanted], size: int = 0) -> OpenEvents:
    """Have these events recorded on every processor that is online; raises OSError.

    `size` of one ring in bytes, a power of two and whole pages; 0: as :func:`ring_size` says.
    """
    opened, wanted = OpenEvents(), list(events)
    processors = online_processors()
    try:
        for processor in processors:
            opened.open_on(processor, wanted, size or ring_size(len(processors)))
    except BaseException:
        opened.close()
        raise
    return opened


class WallClock:
    """CLOCK_REALTIME for a moment of CLOCK_MONOTONIC: their difference changes in steps only.

    Each look bounds the difference from both sides; together the bounds come within some tens of
    nanoseconds. Bounds that exclude the known ones mean that the clock was set.
    """

    def __init__(self) -> None:
        self._least, self._most = 0, 0
        for _ in range(20):
            self.look()

    def look(self) -> int:
        """The present moment (CLOCK_MONOTONIC, ns); the difference is looked at beside it."""
        before = time.monotonic_ns()
        now = time.time_ns()
        after = time.monotonic_ns()
        least, most = now - after, now - before
        if least > self._most or most < self._least:
            self._least, self._most = least, most
        else:
            self._least, self._most = max(self._least, least), min(self._most, most)
        return before

    def at(self, moment: int) -> int:
        """CLOCK_REALTIME (ns) at a moment of CLOCK_MONOTONIC (ns)."""
        return moment + (self._least + self._most) // 2


class Ring:
    """One processor's ring, as its only reader sees it."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        """Readable when the ring is half full."""
        self._size = size
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE + size)
        self._head = ctypes.c_uint64.from_buffer(self._memory, HEAD)
        self._tail = ctypes.c_uint64.from_buffer(self._memory, TAIL)

    def read(self) -> bytes:
        """Whole records, oldest first: all that were in the ring; their room is free again."""
        head, tail = self._head.value, self._tail.value
        if head == tail:
            return b""
        data = take_out(self._memory, mmap.PAGESIZE, self._size, tail, head)
        self._tail.value = head
        return data

    def close(self) -> None:
        """Let go of the ring's memory and descriptor."""
        del self._head, self._tail  # they point into it
        self._memory.close()
        os.close(self.descriptor)


def take_out(memory: mmap.mmap | bytes, base: int, size: int, tail: int, head: int) -> bytes:
    """What lies between two positions, which only grow, of a ring of `size` bytes at `base`."""
    begin, end = tail % size, head % size
    if begin < end:
        return memory[base + begin : base + end]
    return memory[base + begin : base + size] + memory[base : base + end]
