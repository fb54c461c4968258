"""Compares one expected line with one segment, field by field, and binds letters on the way."""

import functools
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sockstates.tcp.options import Option
from sockstates.tcp.pattern import ANYTHING, Endpoint, ExpectedOption, Line, Number
from sockstates.tcp.reading import option_words
from sockstates.tcp.segment import Address, Segment, add

Places = Mapping[str, frozenset[str]]
"""For every host written in an expectation, its IP addresses in Python's spelling."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One field that differs: its tcpdump name, what was seen, what was expected."""

    field: str
    seen: str
    expected: str

    @property
    def weight(self) -> int:
        """How far this difference sets a segment apart: another direction more than a number."""
        return {"from": 4, "to": 4, "Flags": 2}.get(self.field, 1)

    def __str__(self) -> str:
        return f"{self.field} {self.seen}, expected {self.expected}"


@functools.lru_cache(maxsize=4096)
def canonical(ip: str) -> str:
    """An IP address in Python's spelling, so that two spellings of one address are equal."""
    try:
        return str(ipaddress.ip_address(ip))
    except ValueError:
        return ip


def differences(
    line: Line, segment: Segment, places: Places, bindings: dict[str, int]
) -> Iterator[Reason]:
    """Every field in which `segment` is not what `line` says, the telling ones first.

    Letters not bound yet are bound in `bindings`, which is changed.
    """
    yield from _endpoint("from", line.source, segment.source, places)
    yield from _endpoint("to", line.destination, segment.destination, places)
    if line.flags not in (ANYTHING, segment.flags):
        yield Reason("Flags", f"[{segment.flags}]", f"[{line.flags}]")
    seen = {
        "seq": segment.sequence,
        "seq end": add(segment.sequence, segment.length),
        "ack": segment.acknowledgement,
        "win": segment.window,
        "urg": segment.urgent if segment.has("U") else None,
        "length": segment.length,
    }
    for name, expected in _numbers(line):
        if expected is not None and not _agrees(expected, seen[name], bindings):
            yield Reason(name, _or_none(seen[name]), with_value(expected, bindings))
    if line.options is not None:
        yield from _options(line.options, segment.options, bindings)


def _numbers(line: Line) -> tuple[tuple[str, Number | None], ...]:
    return (
        ("seq", line.sequence),
        ("seq end", line.sequence_end),
        ("ack", line.acknowledgement),
        ("win", line.window),
        ("urg", line.urgent),
        ("length", line.length),
    )


def _or_none(number: int | None) -> str:
    return "none" if number is None else str(number)


def with_value(number: Number, bindings: Mapping[str, int]) -> str:
    """An expected number and what it comes to: "K+1 = 7", "5", or "K+1" while K is not bound."""
    value = number.value(bindings)
    return str(number) if number.letter is None or value is None else f"{number} = {value}"


def _agrees(expected: Number, seen: int | None, bindings: dict[str, int]) -> bool:
    """Whether `seen` is the number expected; binds its letter when it has none yet."""
    if seen is None:
        return False
    value = expected.value(bindings)
    if value is None:
        bindings |= expected.bound_by(seen)
        return True
    return value == seen


def _endpoint(name: str, expected: Endpoint, seen: Address, places: Places) -> Iterator[Reason]:
    right_port = expected.port is None or expected.port == seen.port
    if canonical(seen.ip) not in places[expected.host] or not right_port:
        yield Reason(name, f"{seen.ip}.{seen.port}", str(expected))


def _options(
    expected: tuple[ExpectedOption, ...], seen: tuple[Option, ...], bindings: dict[str, int]
) -> Iterator[Reason]:
    """The first expected option that does not follow those before it."""
    text = f"[{','.join(map(str, seen))}]"
    if not expected and seen:
        yield Reason("options", text, "[]")
    left = iter(seen)
    for option in expected:
        if not any(_is_option(option, each, bindings) for each in left):
            values = [
                with_value(word, bindings)
                for word in option.words
                if isinstance(word, Number) and word.value(bindings) is not None
            ]
            bound = f" ({', '.join(values)})" if values else ""
            yield Reason("options", text, f"{option}{bound}")
            return


def _is_option(expected: ExpectedOption, seen: Option, bindings: dict[str, int]) -> bool:
    """Whether `seen` starts with the words expected; only then binds its letters."""
    name, words = option_words(str(seen))
    if name != expected.name or len(words) < len(expected.words):
        return False
    trial = dict(bindings)
    for wanted, word in zip(expected.words, words, strict=False):
        if isinstance(wanted, str):
            agrees = wanted == word
        elif wanted.letter == ANYTHING:
            agrees = True
        else:
            agrees = word.isdecimal() and _agrees(wanted, int(word), trial)
        if not agrees:
            return False
    bindings |= trial
    return True
