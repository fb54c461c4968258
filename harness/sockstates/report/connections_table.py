"""The connections of a capture as a table: how much, how long, what went wrong, how it ended."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from sockstates.record.events import NANOSECONDS
from sockstates.report.clock import duration
from sockstates.tcp.connection import Connection
from sockstates.tcp.following import telling_segments
from sockstates.tcp.headers import RST, SYN
from sockstates.tcp.inference import Inferred, infer_states
from sockstates.tcp.marks import SENT_AGAIN, Mark
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

HEADS = ("no.", "from", "to", "segments", "again", "dup", "zero", "resets", "lasted", "states")
LEGEND = (
    "again: segments sent again; dup: duplicate ACKs; zero: segments that say their sender has no "
    "room; states: of both ends, as far as the segments tell; +: began before the capture"
)
_LEFT = frozenset({1, 2, 9})


def connections_table(
    connections: Sequence[Connection],
    width: int,
    inferred: Mapping[int, Sequence[Inferred]] | None = None,
) -> str:
    """A line for each connection, below the heads; the states on a line of their own if need be.

    inferred: what is shown of connections' states elsewhere, by their number; of others it is
    inferred from the segments that following them has kept.
    """
    known = inferred or {}
    rows = [HEADS, *(_row(each, known.get(each.number)) for each in connections)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = [_line(row, widths) for row in rows]
    if max(map(len, lines)) <= width:
        return "\n".join(line.rstrip() for line in lines)
    indent = " " * (widths[0] + 2)
    return "\n".join(
        f"{_line(row[:-1], widths[:-1])[:width].rstrip()}\n{indent}{row[-1]}" for row in rows
    )


def legend(width: int) -> str:
    """What the heads mean."""
    return "\n".join(textwrap.wrap(LEGEND, width))


def interest(connection: Connection) -> tuple[int, int, int]:
    """Larger for a connection in which more went wrong, and of equal ones for the larger."""
    wrong = connection.count(SENT_AGAIN | Mark.ZERO_WINDOW | Mark.DUPLICATE_ACK)
    return _resets(connection) + wrong, connection.segments, -connection.number


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(
        f"{text:<{size}}" if column in _LEFT else f"{text:>{size}}"
        for column, (text, size) in enumerate(zip(row, widths, strict=True))
    )


def _row(connection: Connection, inferred: Sequence[Inferred] | None) -> tuple[str, ...]:
    lasted = (connection.ended - connection.began) / NANOSECONDS
    return (
        f"{connection.number}{'' if _from_its_beginning(connection) else '+'}",
        _end(connection.source),
        _end(connection.destination),
        f"{connection.first.segments}+{connection.second.segments}",
        str(connection.count(SENT_AGAIN)),
        str(connection.count(Mark.DUPLICATE_ACK)),
        str(connection.count(Mark.ZERO_WINDOW)),
        str(_resets(connection)),
        duration(lasted),
        " ".join(final_states(connection, inferred)),
    )


def _end(address: Address) -> str:
    return f"{address.ip}.{address.port}"


def _resets(connection: Connection) -> int:
    return sum(bool(said.bits & RST) for _, said in connection.telling)


def _from_its_beginning(connection: Connection) -> bool:
    return bool((connection.first.flags | connection.second.flags) & SYN)


def final_states(
    connection: Connection, inferred: Sequence[Inferred] | None = None
) -> tuple[str, str]:
    """The last inferred state of the end that spoke first, and of the other; ``-`` for unknown."""
    latest: dict[Address, tuple[State, bool]] = {}
    if inferred is None:
        inferred = infer_states(telling_segments(connection))
    for each in inferred:
        latest[each.local] = each.after, each.certain
    return _state(latest.get(connection.source)), _state(latest.get(connection.destination))


def _state(known: tuple[State, bool] | None) -> str:
    if known is None:
        return "-"
    state, certain = known
    return str(state) if certain else f"{state}?"
