"""What a tracepoint's `format` file says of its records: where each field lies, what numbers mean.

Pure: text in, layout out. Fields move from one kernel to the next, and numbers get other meanings;
so nothing is known of a record here that its own kernel did not write. The file is described in
the kernel's Documentation/trace/events.rst, section 2.2.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

_FIELD = re.compile(
    r"^\s*field:(?P<type>[^;]*?)(?P<name>\w+)(?:\[\d*\])?;"
    r"\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>[01]);)?",
    re.MULTILINE,
)
_SYMBOLS = re.compile(r"__print_symbolic\(REC->(\w+),((?:\s*\{[^{}]*\},?)*)\s*\)")
_SYMBOL = re.compile(r"\{\s*(0[xX][0-9a-fA-F]+|-?\d+)\s*,\s*\"([^\"]*)\"\s*\}")
_ID = re.compile(r"^ID:\s*(\d+)", re.MULTILINE)


class FormatError(ValueError):
    """A text that is no format of a tracepoint."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where a field lies in a record: bytes from its beginning, bytes long."""

    offset: int
    size: int
    signed: bool


@dataclass(frozen=True, slots=True)
class EventFormat:
    """One tracepoint of the running kernel."""

    number: int
    """The event's number: perf_event_open(2)'s `config`, and `common_type` of each record."""
    fields: Mapping[str, Field]
    symbols: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """By field: the names of its numbers, where the kernel gives them as numbers."""

    def lacking(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the names that are no field of this event."""
        return tuple(name for name in names if name not in self.fields)

    def number_in(self, record: bytes, name: str) -> int:
        """The number in a field, in this machine's order of bytes; 0 without such a field."""
        place = self.fields.get(name)
        if place is None:
            return 0
        octets = record[place.offset : place.offset + place.size]
        return int.from_bytes(octets, sys.byteorder, signed=place.signed)

    def octets_in(self, record: bytes, name: str) -> bytes:
        """The bytes of a field; none without such a field."""
        place = self.fields.get(name)
        return b"" if place is None else record[place.offset : place.offset + place.size]

    def name_in(self, record: bytes, name: str) -> str:
        """The kernel's name for the number in a field; the number itself where it has none."""
        if name not in self.fields:
            return ""
        number = self.number_in(record, name)
        return self.symbols.get(name, {}).get(number, str(number))


def parse_format(text: str) -> EventFormat:
    """Read a `format` file. Raises :class:`FormatError` for what is none."""
    number = _ID.search(text)
    fields = {
        found["name"]: Field(int(found["offset"]), int(found["size"]), found["signed"] == "1")
        for found in _FIELD.finditer(text)
    }
    if number is None or not fields:
        raise FormatError(f"no format of a tracepoint: {text[:60]!r}")
    symbols = {
        name: {int(value, 0): word for value, word in _SYMBOL.findall(pairs)}
        for name, pairs in _SYMBOLS.findall(text)
    }
    return EventFormat(int(number[1]), fields, symbols)
