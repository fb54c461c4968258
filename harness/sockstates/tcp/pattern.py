"""What an expectation about segments is made of, once read: numbers, endpoints, options, lines.

Every part gives its canonical text with str(); `notation.parse_pattern` reads that text back to an
equal part. Nothing here looks at a segment; see `matching`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sockstates.tcp.segment import add, distance

ANYTHING: Final = "_"
"""Stands for any number, any word of an option, or any flags."""


@dataclass(frozen=True, slots=True)
class Number:
    """An expected number: literal (`5`), a letter and an offset (`K+1`), or anything (`_`)."""

    letter: str | None
    offset: int = 0

    def value(self, bindings: Mapping[str, int]) -> int | None:
        """The number meant, modulo 2**32; None for `_` and for a letter not bound yet."""
        if self.letter is None:
            return self.offset
        bound = bindings.get(self.letter)
        return None if bound is None else add(bound, self.offset)

    def bound_by(self, seen: int) -> dict[str, int]:
        """What the letter becomes when it first meets `seen`: for K+1 meeting 7, K is 6."""
        if self.letter is None or self.letter == ANYTHING:
            return {}
        return {self.letter: add(seen, -self.offset)}

    def __str__(self) -> str:
        if self.letter is None:
            return str(self.offset)
        return self.letter + (f"{self.offset:+d}" if self.offset else "")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An expected sender or receiver: a host's name or an IP address, and perhaps a port."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}.{self.port}"


@dataclass(frozen=True, slots=True)
class ExpectedOption:
    """An option that must be there: tcpdump's name, and as many of its words as are given.

    The words are those of `option_words`, so that `sack 1 {5:9}` gives "1", "{", "5", ":", ….
    """

    name: str
    words: tuple[str | Number, ...] = ()

    def __str__(self) -> str:
        text = " ".join([self.name, *map(str, self.words)])
        for space, tight in ((" { ", " {"), (" : ", ":"), (" }", "}"), ("} {", "}{")):
            text = text.replace(space, tight)
        return text


@dataclass(frozen=True, slots=True)
class Line:
    """One expected segment. What is None is not compared.

    flags: tcpdump's letters in tcpdump's order, or `_` for any.
    sequence_end: the number after the colon of `seq J+1:J+6`, without SYN and FIN, as tcpdump's.
    options: these must be present in this order, others may stand between; () means no options.
    """

    source: Endpoint
    destination: Endpoint
    flags: str
    sequence: Number | None = None
    sequence_end: Number | None = None
    acknowledgement: Number | None = None
    window: Number | None = None
    urgent: Number | None = None
    options: tuple[ExpectedOption, ...] | None = None
    length: Number | None = None

    def __str__(self) -> str:
        end = "" if self.sequence_end is None else f":{self.sequence_end}"
        parts = [f"{self.source} > {self.destination}: Flags [{self.flags}]"]
        if self.sequence is not None:
            parts.append(f"seq {self.sequence}{end}")
        for word, number in (
            ("ack", self.acknowledgement),
            ("win", self.window),
            ("urg", self.urgent),
        ):
            if number is not None:
                parts.append(f"{word} {number}")
        if self.options is not None:
            parts.append(f"options [{','.join(map(str, self.options))}]")
        if self.length is not None:
            parts.append(f"length {self.length}")
        return ", ".join(parts)

    def numbers(self) -> tuple[Number, ...]:
        """The numbers on the sequence circle that this line speaks of."""
        found = (self.sequence, self.sequence_end, self.acknowledgement)
        return tuple(number for number in found if number is not None)

    def letters(self) -> frozenset[str]:
        """Every letter in this line, that of options too."""
        words = [word for option in self.options or () for word in option.words]
        found = (*self.numbers(), self.window, self.urgent, self.length, *words)
        letters = {each.letter for each in found if isinstance(each, Number)}
        return frozenset(letter for letter in letters if letter not in (None, ANYTHING))


@dataclass(frozen=True, slots=True)
class Gap:
    """The line `...`: any number of further segments may stand here, also none."""

    def __str__(self) -> str:
        return "..."


Pattern = tuple[Line | Gap, ...]


def in_letters(number: int, letters: Mapping[str, int], reach: int = 100_000) -> str:
    """`number` as the nearest letter before it and an offset, as long as that is within `reach`.

    Gives the number itself when no letter is near: in_letters(78, {"K": 77}) is "K+1".
    """
    offsets = {letter: distance(value, number) for letter, value in letters.items()}
    near = [letter for letter, offset in offsets.items() if 0 <= offset <= reach]
    if not near:
        return str(number)
    letter = min(near, key=lambda each: offsets[each])
    return str(Number(letter, offsets[letter]))
