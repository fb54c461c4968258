"""A line of a ladder diagram: lanes, an arrow between two of them, words beside one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sockstates.report.words import shortened

TIME_WIDTH = 12
"""The column of times, with the space behind it."""
LEAST = ("length", "ack")
"""The words of an arrow that go first when something must, in this order."""
MOST_LINES = 3
"""Of words beside a lane."""
SHAFT = 4
"""Dashes before the words on an arrow."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where the lanes stand: columns, from left to right, in a line of `width`."""

    columns: tuple[int, ...]
    width: int

    @classmethod
    def spread(cls, count: int, width: int) -> Lanes:
        """`count` lanes over the width, the last one at its end."""
        room = width - TIME_WIDTH - 1
        steps = max(count - 1, 1)
        return cls(tuple(TIME_WIDTH + room * each // steps for each in range(count)), width)

    def empty(self) -> list[str]:
        """A line with nothing but the lanes."""
        line = [" "] * self.width
        for column in self.columns:
            line[column] = "|"
        return line

    def heads(self, names: Sequence[str]) -> str:
        """The names above the lanes."""
        line = [" "] * self.width
        room = self.width if len(names) < 2 else self.columns[1] - self.columns[0] - 1
        for position, whole in enumerate(names):
            column, name = self.columns[position], whole[:room]
            start = column - len(name) // 2
            if position == 0:
                start = column
            elif position == len(names) - 1:
                start = column - len(name) + 1
            _write(line, start, name)
        return "".join(line).rstrip()

    def arrow(
        self, time: str, ends: tuple[int, int], words: list[str], lost: str = "", mark: str = "x"
    ) -> str:
        """An arrow from one lane to another; `lost` is what stands where it breaks off."""
        line = self.empty()
        _write(line, 0, time)
        left, right = self._between(ends)
        for column in range(left, right + 1):
            line[column] = "-"
        forward = ends[0] < ends[1]
        lost = shortened(lost, (right - left + 1) // 2)
        text = _fitting(words, self._room(ends, lost))
        if not lost:
            line[right if forward else left] = ">" if forward else "<"
            _write(line, left + SHAFT, text)
        elif forward:
            _write(line, left + SHAFT, text)
            _break_off(line, right - len(lost) - 3, right, f"{mark} {lost}")
        else:
            _break_off(line, left, left + len(lost) + 3, f"{lost} {mark}", forward=False)
            _write(line, left + len(lost) + 3 + SHAFT, text)
        return "".join(line).rstrip()

    def arrival(self, time: str, ends: tuple[int, int], text: str, lost: str = "") -> str:
        """The second half of an arrow, which begins somewhere between the lanes."""
        line = self.empty()
        _write(line, 0, time)
        left, right = self._between(ends)
        half = (right - left + 1) // 2
        forward = ends[0] < ends[1]
        start, end = (left + half, right) if forward else (left, right - half)
        for column in range(start, end + 1):
            line[column] = "-"
        line[right if forward else left] = ">" if forward else "<"
        lost = shortened(lost, max((end - start) - len(text) - 2 * SHAFT, 0))
        taken = len(lost) + SHAFT if lost else 0
        if lost and forward:
            _break_off(line, end - taken + 1, end, f"x {lost}")
        elif lost:
            _break_off(line, start, start + taken - 1, f"{lost} x", forward=False)
        first = start if forward else start + taken
        _write(line, first + 2, f" {cut(text, end - start - taken - SHAFT)} ")
        return "".join(line).rstrip()

    def has_room(self, ends: tuple[int, int], words: list[str], lost: str = "") -> bool:
        """Whether all of an arrow's words fit, but for the length, which the numbers tell too."""
        left, right = self._between(ends)
        room = self._room(ends, shortened(lost, (right - left + 1) // 2))
        kept = [word for word in words if not word.startswith("length")]
        return len(_spaced(kept)) <= room

    def below(self, ends: tuple[int, int], text: str) -> Iterator[str]:
        """More words for the arrow on the line before, under its own."""
        left, right = self._between(ends)
        start = left + SHAFT + 1
        for part in textwrap.wrap(text, max(right - start, 1), break_on_hyphens=False):
            line = self.empty()
            _write(line, start, part)
            yield "".join(line).rstrip()

    def _between(self, ends: tuple[int, int]) -> tuple[int, int]:
        """The first and the last column between two lanes."""
        start, end = (self.columns[lane] for lane in ends)
        return min(start, end) + 1, max(start, end) - 1

    def _room(self, ends: tuple[int, int], lost: str) -> int:
        """Columns for the words on an arrow."""
        left, right = self._between(ends)
        return right - left + 1 - SHAFT - 3 - (len(lost) + 4 if lost else 0)

    def beside(self, time: str, lane: int, text: str) -> Iterator[str]:
        """Words at a lane, in lines: to its right, at the last lane to its left."""
        column = self.columns[lane]
        last = lane == len(self.columns) - 1 and lane > 0
        room = self._room_beside(lane, last=last)
        parts = textwrap.wrap(
            text, room, max_lines=MOST_LINES, placeholder=" ...", break_on_hyphens=False
        ) or [""]
        width = max(map(len, parts))
        for number, part in enumerate(parts):
            line = self.empty()
            _write(line, 0, "" if number else time)
            _write(line, column - width - 1 if last else column + 2, part)
            yield "".join(line).rstrip()

    def _room_beside(self, lane: int, *, last: bool) -> int:
        """Columns between a lane and the next one on that side, with a space at both ends."""
        if len(self.columns) == 1:
            return self.width - self.columns[lane] - 2
        left = lane - 1 if last else lane
        return self.columns[left + 1] - self.columns[left] - 3

    def between(self, text: str) -> str:
        """Words in the middle of the diagram, over the lanes."""
        line = self.empty()
        middle = (self.columns[0] + self.columns[-1]) // 2
        _write(line, max(TIME_WIDTH + 2, middle - len(text) // 2), text)
        return "".join(line).rstrip()


def cut(text: str, room: int) -> str:
    """The text, cut off where there is no room for all of it, so that one sees that it was."""
    return text if len(text) <= room else f"{text[: max(room - 3, 0)]}..."


def _write(line: list[str], start: int, text: str) -> None:
    start = max(start, 0)
    text = text[: len(line) - start]
    line[start : start + len(text)] = text


def _break_off(line: list[str], left: int, right: int, text: str, *, forward: bool = True) -> None:
    for column in range(left, right + 1):
        line[column] = " "
    _write(line, left if forward else right - len(text) + 1, text)


def _fitting(words: list[str], room: int) -> str:
    """As many of the words as there is room for, with a space around them.

    The length goes first when something must, for the sequence numbers tell it too, and then what
    is acknowledged: that a segment was sent again says more.
    """
    for least in LEAST:
        if len(_spaced(words)) > room:
            words = [word for word in words if not word.startswith(least)]
    text = _spaced(words[:1])
    for count in range(2, len(words) + 1):
        longer = _spaced(words[:count])
        if len(longer) > room:
            break
        text = longer
    return text if len(text) <= room + SHAFT else ""


def _spaced(words: list[str]) -> str:
    """The flags and the other words, with a space around them."""
    return f" {' '.join([words[0], ', '.join(words[1:])]).strip()} "
