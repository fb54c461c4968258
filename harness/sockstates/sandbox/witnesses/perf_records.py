"""The records in a ring of perf_event_open(2), told apart. Pure: bytes in, records out.

Only the kinds that `perf_events` asks for are read; the others are passed over. Numbers of
processes are those of the PID namespace in which the event was opened: 0 or -1 stand for a task
that cannot be seen from there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

RECORD_LOST, RECORD_SAMPLE, RECORD_NAMESPACES = 2, 9, 16
"""linux/perf_event.h: enum perf_event_type."""
NETWORK_NAMESPACE = 0
"""linux/perf_event.h: NET_NS_INDEX."""
LARGEST_RECORD = 512
"""Octets; more than any record that `perf_events` asks for has."""

_HEADER = struct.Struct("=IHH")
_SAMPLE = struct.Struct("=iiQIII")
_LOST = struct.Struct("=QQ")
_NAMESPACES = struct.Struct("=iiQ")
_NAMESPACE = struct.Struct("=QQ")
_TRAILER = struct.Struct("=iiQII")
"""What `sample_id_all` puts behind records that are no samples: task, time, processor."""


class Sample(NamedTuple):
    """A tracepoint was passed: when (ns), in which task, on which processor, its own record."""

    time: int
    task: int
    processor: int
    raw: bytes


class TaskPlaced(NamedTuple):
    """A task was born in, or went to, a network namespace (the inode of its file in /proc)."""

    time: int
    task: int
    namespace: int


class Lost(NamedTuple):
    """The ring was full: so many records are not in it."""

    time: int
    number: int


Record = Sample | TaskPlaced | Lost


def split_records(data: bytes) -> Iterator[Record]:
    """The records in what was read from a ring; it begins and ends between two records."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        kind, _, size = _HEADER.unpack_from(data, offset)
        if size < _HEADER.size:
            return
        body, end = offset + _HEADER.size, offset + size
        if kind == RECORD_SAMPLE:
            _, task, time, processor, _, length = _SAMPLE.unpack_from(data, body)
            raw = body + _SAMPLE.size
            yield Sample(time, task, processor, data[raw : raw + length])
        elif kind == RECORD_NAMESPACES:
            _, task, count = _NAMESPACES.unpack_from(data, body)
            if count > NETWORK_NAMESPACE:
                at = body + _NAMESPACES.size + NETWORK_NAMESPACE * _NAMESPACE.size
                yield TaskPlaced(_time(data, end), task, _NAMESPACE.unpack_from(data, at)[1])
        elif kind == RECORD_LOST:
            yield Lost(_time(data, end), _LOST.unpack_from(data, body)[1])
        offset = end


def _time(data: bytes, end: int) -> int:
    return int(_TRAILER.unpack_from(data, end - _TRAILER.size)[2])
