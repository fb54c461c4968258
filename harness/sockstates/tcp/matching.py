"""Looks for an expectation among segments, and says how near it came.

The lines of an expectation must stand for consecutive segments: nothing more between, except
where the expectation says `...`. Letters bind on first use and must agree from then on. The
result is a Match or a Mismatch; both are plain data, and `explanation` writes the latter out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sockstates.tcp.comparison import Places, Reason, canonical, differences
from sockstates.tcp.nearest import did_you_mean
from sockstates.tcp.pattern import Line, Pattern
from sockstates.tcp.segment import Segment

Hosts = Mapping[str, Collection[str]]
"""The IP addresses of every host, by the host's name."""


Others = Callable[[Segment], Sequence[Segment]]
"""A segment -> the same under the other names that it has, where a host rewrites addresses."""


def only_one(_segment: Segment) -> Sequence[Segment]:
    """No other names: where nobody rewrites addresses."""
    return ()


class UnknownHost(ValueError):
    """An expectation names a host that does not exist."""


@dataclass(frozen=True, slots=True)
class Match:
    """The expectation was seen.

    first, last: the segments it covers are segments[first:last].
    positions: for each line the index of its segment; None for a line `...`.
    bindings: those given, and the letters bound here.
    """

    first: int
    last: int
    positions: tuple[int | None, ...]
    bindings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The expectation was not seen; this is the attempt that came nearest.

    positions: the segments of the lines that matched, one for each; None for a line `...`.
    failed: the index of the first line that did not match.
    at: the index of the segment standing there; None when no segment was left.
    reasons: what differs between that line and that segment.
    bindings: those given, those of the lines that matched, and those of the failed line where
    only numbers or options differ.
    """

    lines: Pattern
    segments: Sequence[Segment] = field(repr=False)
    hosts: Hosts
    positions: tuple[int | None, ...]
    failed: int
    at: int | None
    reasons: tuple[Reason, ...]
    bindings: Mapping[str, int]

    @property
    def first(self) -> int | None:
        """The index of the first segment that matched; None when none did."""
        return next((index for index in self.positions if index is not None), None)

    @property
    def matched(self) -> int:
        """How many lines matched; a line `...` does not count."""
        return sum(index is not None for index in self.positions)


def match(
    lines: Pattern,
    segments: Sequence[Segment],
    bindings: Mapping[str, int] | None = None,
    hosts: Hosts | None = None,
    *,
    start: int = 0,
    others: Others = only_one,
) -> Match | Mismatch:
    """Find `lines` among `segments`, from index `start` on; the first place that fits wins.

    bindings: letters bound before (they stay bound). hosts: each host's IP addresses. others: what
    else a segment is called, which matches as well.
    Raises UnknownHost for a host that is not among `hosts` and is no IP address, and ValueError
    when `lines` expect no segment: that could never fail.
    """
    if not any(isinstance(line, Line) for line in lines):
        raise ValueError("the expectation expects no segment at all")
    hosts = {} if hosts is None else hosts
    search = _Search(lines, segments, places_of(lines, hosts), others)
    for index in range(start, len(segments) + 1):
        found = search.attempt(_State(0, index, (), dict(bindings or {})))
        if found is not None:
            return found
    nearest = search.nearest()
    state = nearest.state
    return Mismatch(
        lines=lines,
        segments=segments,
        hosts=hosts,
        positions=state.positions,
        failed=state.line,
        at=state.segment if state.segment < len(segments) else None,
        reasons=nearest.reasons,
        bindings=nearest.bindings if nearest.is_alike else state.bindings,
    )


def places_of(lines: Pattern, hosts: Hosts) -> Places:
    """The IP addresses of every host that `lines` name. Raises UnknownHost."""
    written = [line for line in lines if isinstance(line, Line)]
    named = {end.host for line in written for end in (line.source, line.destination)}
    return {name: _addresses(name, hosts) for name in named}


def _addresses(name: str, hosts: Hosts) -> frozenset[str]:
    if name in hosts:
        return frozenset(map(canonical, hosts[name]))
    if "." in name or ":" in name:
        return frozenset({canonical(name)})
    known = ", ".join(sorted(hosts)) or "none"
    raise UnknownHost(
        f"There is no host {name!r}. {did_you_mean(name, hosts)}The hosts are: {known}."
    )


class _State(NamedTuple):
    """How far an attempt has come: the next line, the next segment, and what was found so far."""

    line: int
    segment: int
    positions: tuple[int | None, ...]
    bindings: dict[str, int]

    @property
    def matched(self) -> int:
        return sum(index is not None for index in self.positions)


_COMPARED: Final = 100_000
"""Of how many attempts that came equally far the nearest is looked for."""
_FARTHEST: Final = 1000
"""What an attempt without a segment weighs: any segment is nearer."""


class _Failure(NamedTuple):
    """How an attempt ended: in which state, what differed, and the letters bound on the way."""

    state: _State
    reasons: tuple[Reason, ...]
    bindings: dict[str, int]

    @property
    def weight(self) -> int:
        """How far this was from a match. Without a segment left: more than one field differing."""
        if not self.reasons:
            return 3 if self.state.matched else _FARTHEST
        return sum(reason.weight for reason in self.reasons)

    @property
    def is_alike(self) -> bool:
        """Whether the segment has the direction and the flags expected."""
        return all(reason.weight == 1 for reason in self.reasons)


class _Search:
    """One search: tries places in turn, and remembers the states in which the farthest failed."""

    def __init__(
        self, lines: Pattern, segments: Sequence[Segment], places: Places, others: Others
    ) -> None:
        self.lines = lines
        self.segments = segments
        self.places = places
        self.others = others
        self.farthest: list[_State] = []
        self.letters = [
            frozenset[str]().union(
                *(each.letters() for each in lines[n:] if isinstance(each, Line))
            )
            for n in range(len(lines))
        ]
        # Where the search went on at a `...`, and with which of the letters that matter from there.
        # From a later segment on it can only find less, so it is not gone through again.
        self.searched: dict[tuple[int, frozenset[tuple[str, int]]], int] = {}

    def attempt(self, state: _State) -> Match | None:
        """The match that begins in `state`, if there is one; depth first, shortest gaps first."""
        waiting = [(state, False)]
        while waiting:
            state, skipping = waiting.pop()
            if state.line == len(self.lines):
                return _found(state)
            line = self.lines[state.line]
            if isinstance(line, Line):
                after = self._after_line(line, state)
                waiting += [] if after is None else [(after, False)]
            elif skipping or self._is_new(state):
                if state.segment < len(self.segments):
                    waiting.append((state._replace(segment=state.segment + 1), True))
                positions = (*state.positions, None)
                waiting.append((state._replace(line=state.line + 1, positions=positions), False))
        return None

    def _is_new(self, state: _State) -> bool:
        letters = self.letters[state.line]
        key = (state.line, frozenset(each for each in state.bindings.items() if each[0] in letters))
        if self.searched.get(key, len(self.segments) + 1) <= state.segment:
            return False
        self.searched[key] = state.segment
        return True

    def _after_line(self, line: Line, state: _State) -> _State | None:
        """The state after `line` has matched the next segment; None when it does not."""
        if state.segment < len(self.segments):
            segment = self.segments[state.segment]
            for named in (segment, *self.others(segment)):
                bindings = dict(state.bindings)
                if next(differences(line, named, self.places, bindings), None) is None:
                    positions = (*state.positions, state.segment)
                    return _State(state.line + 1, state.segment + 1, positions, bindings)
        if self.farthest and state.matched > self.farthest[0].matched:
            self.farthest.clear()
        as_far = not self.farthest or state.matched == self.farthest[0].matched
        if as_far and len(self.farthest) < _COMPARED:
            self.farthest.append(state)
        return None

    def nearest(self) -> _Failure:
        """Of the states that came farthest the one whose next segment differs least."""
        return min(map(self._failure, self.farthest), key=lambda failure: failure.weight)

    def _failure(self, state: _State) -> _Failure:
        line, bindings = self.lines[state.line], dict(state.bindings)
        if state.segment >= len(self.segments) or not isinstance(line, Line):
            return _Failure(state, (), bindings)
        segment = self.segments[state.segment]
        return _Failure(state, tuple(differences(line, segment, self.places, bindings)), bindings)


def _found(state: _State) -> Match:
    seen = [index for index in state.positions if index is not None]
    return Match(seen[0], seen[-1] + 1, state.positions, state.bindings)
