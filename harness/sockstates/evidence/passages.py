"""The states that an endpoint passed through, in order, and whether that is what was expected.

Pure. Where the kernel's tracepoint was there, its changes are the order: it shows each of them.
What it does not show (`evidence.differences`) and all of it, where it was not there, comes
from samples, between which states may have passed unseen. So a recorded timeline allows for one or
more passages, all of which agree with what was seen; an expectation holds when all of them are as
expected, is inconclusive when only some are, and has failed when none is.

States inferred from segments are not among the witnesses here: that a segment came by does not say
that its receiver took it in. That none came by does say something: without the peer's FIN there is
no TIME_WAIT. So a complete capture rules out what may otherwise have passed unseen (`narrowed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice, product
from types import EllipsisType
from typing import Final

from sockstates.evidence.differences import HIDDEN_BEHIND_CLOSED, LEADS_TO_TIME_WAIT
from sockstates.record.events import ClockStepped, FramesLost, SocketSeen
from sockstates.record.kernel_events import RecordsLost, SocketGlanced, StateChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.segment import Segment, distance
from sockstates.tcp.states import State
from sockstates.tcp.transitions import ARCS

Pattern = Sequence[State | EllipsisType]
"""States one right after the other; ``...`` stands for any, or none, between."""
Passage = tuple[State, ...]
EXACT, SAMPLED = "tracepoint", "samples"
BETWEEN_LIVES: Final = frozenset({State.CLOSED, State.LISTEN})
"""No walk through these is looked for between two samples: it would be another connection."""
ENDS: Final = frozenset({State.TIME_WAIT, State.CLOSED})
"""What comes behind these is another connection."""
MOST_PASSAGES: Final = 5000
BEGUN_BY_PEERS_FIN: Final = frozenset(
    {State.TIME_WAIT, State.CLOSING, State.CLOSE_WAIT, State.LAST_ACK}
)
"""States behind the peer's FIN: without it there is no way to them (RFC 9293, figure 5)."""
BEGUN_BY_ACK_OF_FIN: Final = frozenset({State.FIN_WAIT2, State.TIME_WAIT})
"""States behind the acknowledgement of the endpoint's own FIN."""


def _follows() -> dict[State, frozenset[State]]:
    """What Linux can be in right after each state, within one connection.

    A request socket is beside its listener, so that a connection opened passively begins CLOSED.
    """
    pairs = {(arc.before, arc.after) for arc in ARCS if arc.exists}
    pairs -= {(State.TIME_WAIT, State.SYN_RECV)}  # a new connection
    pairs |= {(State.CLOSED, State.SYN_RECV)}
    return {state: frozenset(b for a, b in pairs if a is state) for state in State}


FOLLOWS: Final = _follows()


@dataclass(frozen=True, slots=True)
class Stage:
    """A state that an endpoint was seen in.

    began: at the first moment (ns) it was not yet so, at the second it was; exactly then, when the
    two are one. witness: who says so.
    direct: nothing can have been between the stage before and this one.
    excluded: states that cannot have been between the two, since nothing came that leads to them.
    """

    state: State
    began: tuple[int, int]
    witness: str
    direct: bool
    excluded: frozenset[State] = frozenset()


def stages(timeline: Timeline, key: EndpointKey) -> list[Stage]:
    """What was seen of an endpoint, oldest first: exact where a witness is, else as sampled.

    Two changes of which the second begins where the first one ended have nothing between them: no
    state comes twice in one life. Where a link is missing, records were lost (a kernel does not
    always say so), and the samples are asked what was there meanwhile.
    """
    sampled = sampled_stages(timeline, key)
    changes = timeline.changes(key)
    if not changes:
        return sampled
    found = [*_before_the_first(changes[0], sampled)]
    nexts: Iterable[StateChanged | None] = (*changes[1:], None)
    for change, after in zip(changes, nexts, strict=True):
        if change.after is State.CLOSED and _ended_by_reset(timeline, key, change):
            found.append(Stage(State.CLOSED, (change.time, change.time), EXACT, direct=True))
            if after is None:
                found += [each for each in sampled if each.began[0] >= change.time]
        elif change.after is State.CLOSED:
            found += _behind_closed(change, after, sampled)
        else:
            found.append(Stage(change.after, (change.time, change.time), EXACT, direct=True))
            if after is None or after.before is not change.after:
                found += _where_a_link_is_missing(change, after, sampled)
    if changes[-1].after is State.CLOSED and not sampled:
        found += _never_sampled(timeline, changes[-1])
    return _folded(found)


def _ended_by_reset(timeline: Timeline, key: EndpointKey, change: StateChanged) -> bool:
    """Whether the full socket took in an RST in the state that it left for CLOSED.

    Then no minisocket takes its place: tcp_reset() traces the RST and closes the socket in one go
    (net/ipv4/tcp_input.c), and nothing traces an RST that a minisocket takes in.
    """
    entered = max(
        (each.time for each in timeline.changes(key) if each.time < change.time), default=0
    )
    return any(entered <= reset <= change.time for reset in timeline.resets_taken_in(key))


def narrowed(timeline: Timeline, key: EndpointKey, seen: Sequence[Stage]) -> list[Stage]:
    """The stages, each with the states that no captured segment can have led to by then.

    Unchanged where the capture does not show everything: it lost frames, or the host talks to
    itself. A captured segment may have been dropped behind the capture, so that it proves nothing.
    """
    host, _, remote = key
    own = timeline.names.host(remote.ip) in (host, "localhost") if remote else True
    if own or host not in timeline.frames or _frames_lost(timeline, host):
        return list(seen)
    segments = _of_connection(timeline, key)
    return [
        stage if stage.direct else replace(stage, excluded=_excluded(segments, key, stage))
        for stage in seen
    ]


def _frames_lost(timeline: Timeline, host: str) -> bool:
    """Whether a frame may be missing, or be dated by another clock than the looks are."""
    return timeline.malformed > 0 or any(
        isinstance(event, ClockStepped)
        or (isinstance(event, FramesLost) and event.host == host and not event.chosen)
        for event in timeline.events
    )


def _of_connection(timeline: Timeline, key: EndpointKey) -> list[Segment]:
    host, *ends = key
    pair = set(ends)
    return [
        each
        for each in timeline.arrived.get(host, ())
        if {each.source, each.destination} == pair and each not in timeline.unsound
    ]


def _excluded(segments: Sequence[Segment], key: EndpointKey, stage: Stage) -> frozenset[State]:
    """What the endpoint cannot have been by the time that it was seen in `stage`.

    It sends a SYN of another number only when an earlier connection of these addresses is over.
    """
    earliest, latest = stage.began
    syns = [each for each in segments if each.source == key[1] and each.has("S")]
    before = [each.sequence for each in syns if each.time <= earliest]
    begun = next((each.time for each in syns if each.sequence in before[-1:]), 0)
    life = [each for each in segments if begun <= each.time <= latest]
    arrived = [each for each in life if each.source == key[2]]
    fins = [each.end for each in life if each.source == key[1] and each.has("F")]
    acknowledged = any(
        each.acknowledgement is not None and distance(fin, each.acknowledgement) >= 0
        for each in arrived
        for fin in fins
    )
    excluded = frozenset[State]() if any(map(_is_fin, arrived)) else BEGUN_BY_PEERS_FIN
    return excluded if acknowledged else excluded | BEGUN_BY_ACK_OF_FIN


def _is_fin(segment: Segment) -> bool:
    return segment.has("F")


def _where_a_link_is_missing(
    change: StateChanged, after: StateChanged | None, sampled: list[Stage]
) -> Iterator[Stage]:
    """What samples saw after a change, and what the next one says was there before it.

    Behind its end, where no change follows, also another connection of the same addresses.
    """
    before = _state_before(after) if after else None
    latest = after.time if after else sampled[-1].began[1] if sampled else change.time
    ended = False
    for stage in sampled:
        follows = stage.began[1] >= change.time and stage.state in ahead(change.after)
        over = stage.state in BETWEEN_LIVES and stage.state is not before
        leads = before is None or (not over and _leads_to(stage.state, before))
        if follows and leads and stage.began[0] < latest and stage.state is not change.after:
            began = max(change.time, stage.began[0]), min(stage.began[1], latest)
            yield replace(stage, began=began)
            ended = ended or stage.state in ENDS
        elif ended and after is None:
            yield stage
    if before is not None:
        yield Stage(before, (change.time, latest), EXACT, direct=False)


def _leads_to(state: State, later: State) -> bool:
    return state is later or later in ahead(state)


def _state_before(change: StateChanged) -> State:
    """What the endpoint itself was before: a listener's child begins with its listener's state."""
    return State.CLOSED if change.before in BETWEEN_LIVES else change.before


def lost_records(timeline: Timeline, witness: str) -> bool:
    """Whether a witness says itself that it has missed something."""
    return any(
        isinstance(event, RecordsLost) and event.witness.startswith(witness)
        for event in timeline.events
    )


def sampled_stages(timeline: Timeline, key: EndpointKey) -> list[Stage]:
    """What psutil and sock_diag saw of an endpoint, taken together, oldest first."""
    looks: list[SocketSeen | SocketGlanced] = [*timeline.glances(key), *timeline.history(key)]
    looks.sort(
        key=lambda seen: (seen.time, not isinstance(seen, SocketGlanced)),
    )
    return _folded(
        Stage(seen.state, (seen.not_before, seen.time), SAMPLED, direct=False) for seen in looks
    )


def _folded(found: Iterable[Stage]) -> list[Stage]:
    """Without the stages that only say again what the one before them says."""
    kept: list[Stage] = []
    for stage in found:
        if not kept or kept[-1].state is not stage.state:
            kept.append(stage)
    return kept


def _before_the_first(change: StateChanged, sampled: list[Stage]) -> Iterator[Stage]:
    """What was there before the tracepoint spoke of the endpoint: a request socket, or more."""
    if change.before not in BETWEEN_LIVES:
        yield from (
            stage
            for stage in sampled
            if stage.began[1] <= change.time and _leads_to(stage.state, change.before)
        )
        yield Stage(change.before, (0, change.time), EXACT, direct=False)
        return
    requests = [
        replace(stage, direct=change.before is State.LISTEN)
        for stage in sampled
        if stage.state is State.SYN_RECV and stage.began[1] <= change.time
    ]
    yield from requests[:1]
    if not requests and change.before is State.LISTEN:  # a child: its request was there before
        yield Stage(change.after, (0, change.time), EXACT, direct=True)


def _behind_closed(
    change: StateChanged, after: StateChanged | None, sampled: list[Stage]
) -> Iterator[Stage]:
    """What follows a change to CLOSED, which may be the beginning of what is not shown."""
    if change.before not in LEADS_TO_TIME_WAIT:
        yield Stage(State.CLOSED, (change.time, change.time), EXACT, direct=True)
    direct = change.before is State.CLOSING
    for stage in sampled:
        if stage.began[1] < change.time or (after and stage.began[0] >= after.time):
            continue
        if stage.state in HIDDEN_BEHIND_CLOSED:
            earliest = max(change.time, stage.began[0])
            latest = change.time if direct else stage.began[1]
            yield Stage(stage.state, (min(earliest, latest), latest), SAMPLED, direct=direct)
            direct = False
        elif stage.state is State.CLOSED:
            began = max(change.time, stage.began[0]), stage.began[1]
            yield Stage(State.CLOSED, began, SAMPLED, direct=False)
        elif after is None and stage.began[0] >= change.time:
            # Another connection of the same addresses, of which the tracepoint has lost every word.
            yield replace(stage, direct=False)


def _never_sampled(timeline: Timeline, last: StateChanged) -> Iterator[Stage]:
    """What came and went between two looks is gone when the next one does not find it."""
    looked = timeline.glanced.get(last.host, 0)
    if last.before in LEADS_TO_TIME_WAIT and looked > last.time:
        yield Stage(State.CLOSED, (last.time, looked), SAMPLED, direct=False)


@cache
def walks(before: State, after: State) -> frozenset[Passage]:
    """The ways from one state to another: what lies between, each state once at most."""
    found: set[Passage] = set()

    def go(state: State, passed: Passage) -> None:
        for following in FOLLOWS[state]:
            if following is after:
                found.add(passed)
            elif following not in {*passed, before, *BETWEEN_LIVES}:
                go(following, (*passed, following))

    go(before, ())
    return frozenset(found) or frozenset({()})


def passages(seen: Sequence[Stage]) -> list[Passage]:
    """Every order of states that agrees with what was seen, each beginning CLOSED."""
    state = State.CLOSED
    gaps: list[list[Passage]] = []
    for stage in seen:
        unseen = frozenset({()}) if stage.direct else walks(state, stage.state)
        allowed = [walk for walk in unseen if stage.excluded.isdisjoint(walk)]
        gaps.append([(*walk, stage.state) for walk in sorted(allowed or unseen)])
        state = stage.state
    possible = islice(product(*gaps), MOST_PASSAGES)
    return [(State.CLOSED, *(state for part in each for state in part)) for each in possible]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many of the possible passages are as expected, may still become so, and are not."""

    matching: int
    open: int
    other: int

    @property
    def holds(self) -> bool:
        """Whether it was so, whatever was not seen."""
        return self.matching > 0 and not self.open and not self.other

    @property
    def possible(self) -> bool:
        """Whether it may have been so."""
        return self.matching > 0

    @property
    def final(self) -> bool:
        """Whether nothing that comes later can change it."""
        return not self.open


def judge(seen: Sequence[Stage], pattern: Pattern) -> Verdict:
    """Whether an endpoint passed through `pattern`."""
    matching = unfinished = other = 0
    for passage in passages(seen):
        if _contains(passage, pattern):
            matching += 1
        elif _may_become(passage, pattern):
            unfinished += 1
        else:
            other += 1
    return Verdict(matching, unfinished, other)


def _contains(passage: Passage, pattern: Pattern) -> bool:
    return any(_begins(passage[start:], pattern) is True for start in range(len(passage)))


def _may_become(passage: Passage, pattern: Pattern) -> bool:
    """Whether the pattern has begun and not ended, or may still begin."""
    if pattern[0] in ahead(passage[-1]) and pattern[0] not in passage:
        return True
    return any(_begins(passage[start:], pattern) is None for start in range(len(passage)))


@cache
def ahead(state: State) -> frozenset[State]:
    """What an endpoint in `state` may still come to, without becoming another connection's."""
    found, new = frozenset[State](), FOLLOWS[state]
    while new - found:
        found |= new
        new = frozenset().union(*(FOLLOWS[each] for each in new - BETWEEN_LIVES))
    return found


def _begins(passage: Passage, pattern: Pattern) -> bool | None:
    """Whether the passage begins with the pattern; None when it ends before that is decided."""
    if not pattern:
        return True
    first, *rest = pattern
    if isinstance(first, EllipsisType):
        found = [_begins(passage[skipped:], rest) for skipped in range(len(passage) + 1)]
        return True if True in found else None
    if not passage:
        return None
    return _begins(passage[1:], rest) if passage[0] is first else False


def may_have_passed(seen: Sequence[Stage], state: State) -> tuple[bool, bool]:
    """Whether an endpoint was certainly, and whether it was perhaps, in a state."""
    possible = passages(seen)
    found = sum(state in passage[1:] for passage in possible)
    return found == len(possible), found > 0
