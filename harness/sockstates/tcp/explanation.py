"""Writes a Mismatch out: expected beside seen, what differs, and what the letters stand for.

Numbers seen are written with the letters of the expectation where they are near one, so that the
two sides can be compared by eye. Lines stand side by side as long as they fit the width, else one
above the other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sockstates.tcp.comparison import Reason, canonical
from sockstates.tcp.matching import Hosts, Mismatch
from sockstates.tcp.notation import format_segment
from sockstates.tcp.pattern import Gap, Line, in_letters
from sockstates.tcp.segment import Address, Segment, add

NARROWEST: Final = 80
_MATCHED, _DIFFERS, _NOT_REACHED = "✓", "✗", " "
_NOTHING_MORE: Final = "(no further segment)"
_NOTHING_AT_ALL: Final = "(no segment at all)"
_ON_THE_CIRCLE: Final = ("seq", "seq end", "ack")
_ENDS: Final = ("from", "to")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the expectation with its mark, and what was seen in its place."""

    mark: str
    expected: str
    seen: str


def explain(mismatch: Mismatch, width: int = 100) -> str:
    """What was expected, what was seen, and how they differ, in lines of at most `width`.

    width: characters; at least 80, and less is taken for 80.
    """
    width = max(width, NARROWEST)
    rows = _rows(mismatch)
    parts = [_headline(mismatch), "", *_table(rows, width)]
    told = _reasons(mismatch, width)
    letters = _letters(mismatch, width)
    parts += ["", *told] if told else []
    parts += ["", *letters] if letters else []
    return "\n".join(line.rstrip() for line in parts)


def host_names(hosts: Hosts) -> Mapping[str, str]:
    """The host's name for every IP address that belongs to one host alone."""
    owners: dict[str, set[str]] = {}
    for name, addresses in hosts.items():
        for ip in addresses:
            owners.setdefault(canonical(ip), set()).add(name)
    return {ip: next(iter(names)) for ip, names in owners.items() if len(names) == 1}


def _headline(mismatch: Mismatch) -> str:
    wanted = sum(isinstance(line, Line) for line in mismatch.lines)
    number = len(mismatch.segments)
    if not number:
        return "No segment was seen at all."
    if mismatch.matched:
        then = "then nothing more" if mismatch.at is None else "then another one"
        return f"Seen {mismatch.matched} of {wanted} segments expected, {then}."
    among = "the one segment" if number == 1 else f"the {number} segments"
    which = "The segment expected" if wanted == 1 else f"The first of {wanted} segments expected"
    return f"{which} is not among {among} seen. The nearest:"


def _rows(mismatch: Mismatch) -> list[_Row]:
    rows = []
    for index, line in enumerate(mismatch.lines):
        if index < len(mismatch.positions):
            position = mismatch.positions[index]
            seen = "" if position is None else _seen(mismatch, position, line, full=False)
            rows.append(_Row(_NOT_REACHED if position is None else _MATCHED, str(line), seen))
        elif index == mismatch.failed:
            rows.append(_Row(_DIFFERS, str(line), _standing(mismatch, line)))
        else:
            rows.append(_Row(_NOT_REACHED, str(line), ""))
    return rows


def _standing(mismatch: Mismatch, line: Line | Gap) -> str:
    if mismatch.at is not None:
        return _seen(mismatch, mismatch.at, line, full=True)
    return _NOTHING_MORE if mismatch.segments else _NOTHING_AT_ALL


def _seen(mismatch: Mismatch, position: int, line: Line | Gap, *, full: bool) -> str:
    """A segment in the words of the line beside it: the same fields, numbers in its letters.

    full: also say how long the payload is when the line does not ask.
    """
    if not isinstance(line, Line):
        return ""
    segment = mismatch.segments[position]
    names, letters = host_names(mismatch.hosts), _circle_letters(mismatch)
    source = _end(segment.source, names, with_port=line.source.port is not None)
    destination = _end(segment.destination, names, with_port=line.destination.port is not None)
    parts = [f"{source} > {destination}: Flags [{segment.flags}]"]
    if line.sequence is not None:
        start, end = (in_letters(number, letters) for number in _span(segment))
        ranged = line.sequence_end is not None or (full and segment.length)
        parts.append(f"seq {start}:{end}" if ranged else f"seq {start}")
    if line.acknowledgement is not None and segment.acknowledgement is not None:
        parts.append(f"ack {in_letters(segment.acknowledgement, letters)}")
    if line.window is not None:
        parts.append(f"win {segment.window}")
    if line.urgent is not None and segment.has("U"):
        parts.append(f"urg {segment.urgent}")
    if line.options is not None:
        parts.append(f"options [{','.join(map(str, segment.options))}]")
    if line.length is not None or (full and segment.length and line.sequence is None):
        parts.append(f"length {segment.length}")
    return ", ".join(parts)


def _span(segment: Segment) -> tuple[int, int]:
    return segment.sequence, add(segment.sequence, segment.length)


def _end(address: Address, names: Mapping[str, str], *, with_port: bool) -> str:
    host = names.get(canonical(address.ip), address.ip)
    return f"{host}.{address.port}" if with_port else host


def _circle_letters(mismatch: Mismatch) -> dict[str, int]:
    """The bound letters that the expectation uses for sequence numbers."""
    lines = [line for line in mismatch.lines if isinstance(line, Line)]
    used = {number.letter for line in lines for number in line.numbers()}
    return {letter: value for letter, value in mismatch.bindings.items() if letter in used}


def _table(rows: list[_Row], width: int) -> list[str]:
    """The rows side by side when they fit, else one above the other."""
    left = max(len(row.expected) for row in rows)
    right = max(len(row.seen) for row in rows)
    if 2 + 2 + left + 3 + right <= width:
        head = f"    {'expected':{left}}   seen"
        return [head, *(f"  {row.mark} {row.expected:{left}}   {row.seen}" for row in rows)]
    lines: list[str] = []
    for row in rows:
        lines += _folded(f"  {row.mark} expected  ", row.expected, width)
        if row.seen:
            lines += _folded("        seen  ", row.seen, width)
    return lines


def _reasons(mismatch: Mismatch, width: int) -> list[str]:
    """What differs, one field a line, and the segment as tcpdump prints it."""
    if mismatch.at is None:
        return []
    segment = mismatch.segments[mismatch.at]
    names = host_names(mismatch.hosts)
    lines = ["What differs:"]
    for reason in _telling(mismatch.reasons):
        seen = reason.seen
        if reason.field in _ENDS:
            end = segment.source if reason.field == "from" else segment.destination
            seen = _end(end, names, with_port=True)
        elif reason.field in _ON_THE_CIRCLE and seen.isdecimal():
            lettered = in_letters(int(seen), _circle_letters(mismatch))
            seen = seen if lettered == seen else f"{lettered} = {seen}"
        lines += _folded(f"    {reason.field}: ", f"seen {seen}, expected {reason.expected}", width)
    if any(each.field in _ON_THE_CIRCLE and each.expected.isdecimal() for each in mismatch.reasons):
        lines.append("    (Numbers without a letter are absolute, as tcpdump -S prints them.)")
    full = format_segment(segment, lambda end: _end(end, names, with_port=False))
    return [*lines, "", "That segment in full:", *_folded("    ", full, width)]


def _telling(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The reasons, without numbers that cannot agree because the direction is another."""
    if not any(reason.field in _ENDS for reason in reasons):
        return reasons
    return tuple(reason for reason in reasons if reason.field not in _ON_THE_CIRCLE)


def _letters(mismatch: Mismatch, width: int) -> list[str]:
    """What every letter of the expectation stands for, as far as it is bound."""
    written = [line.letters() for line in mismatch.lines if isinstance(line, Line)]
    used = [letter for letter in mismatch.bindings if any(letter in line for line in written)]
    values = ", ".join(f"{letter} = {mismatch.bindings[letter]}" for letter in used)
    return _folded("Letters: ", values, width) if values else []


def _folded(head: str, text: str, width: int) -> list[str]:
    """`head` and `text`, broken between fields or else between options, later lines indented."""
    room = width - len(head)
    pieces: list[str] = []
    for part in re.findall(r".+?(?:, |$)", text):
        pieces += [part] if len(part) <= room else re.findall(r".+?(?:,|$)", part)
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > room:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > room:
            lines[-1:] = [lines[-1][:room], lines[-1][room:]]
    return [(" " * len(head) if index else head) + line for index, line in enumerate(lines)]
