"""Whether the witnesses of the sockets' states agree with each other: cross-examination.

Pure. Each witness is read as spans of time in which it is certain of an endpoint's state: samples
from the first that saw it to the last, so that nothing is said about the time in between changes;
the tracepoint from change to change, where its silence proves nothing. Where two spans overlap and
say different things, and neither a known difference (`evidence.differences`) nor the time
that a processor may have been held up explains it, one of the two is wrong, and the run can decide
nothing.

It never says which of the two is right. Packets are cross-examined in `evidence.agreement`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sockstates.evidence.differences import SEGMENTS, SOCKETS, TRACEPOINT, reason_for
from sockstates.evidence.expectations import endpoint_text
from sockstates.evidence.held_back import holds_back
from sockstates.evidence.passages import ahead
from sockstates.record.events import NANOSECONDS, SegmentCrafted, SocketSeen
from sockstates.record.kernel_events import SocketGlanced, StateChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.inference import Inferred, infer_states
from sockstates.tcp.segment import Segment, distance
from sockstates.tcp.states import State
from sockstates.tcp.timers import late

SKEW = int(late(0.0) * NANOSECONDS)
"""Nanoseconds that a change and what is told of it may lie apart: what happens in one go can be
interrupted, when the processor that does it is held up, for as long as a timer may be late."""
Look = SocketSeen | SocketGlanced


@dataclass(frozen=True, slots=True)
class Span:
    """From `began` to `ended` (ns) a witness is certain that the state was `state`."""

    state: State
    began: int
    ended: int
    left_unseen: bool = False
    """Whether it may have ended sooner, for a state that follows it."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one witness says of an endpoint. kind: as `sockstates.evidence.differences` names it."""

    witness: str
    kind: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two witnesses that cannot both be right. `told`: each witness and what it says."""

    about: str
    began: int
    ended: int
    told: tuple[tuple[str, str], tuple[str, str]]

    def text(self, origin: int) -> str:
        """Which witnesses, when, about what."""
        began, ended = ((moment - origin) / NANOSECONDS for moment in (self.began, self.ended))
        when = f"at {began:.3f} s" if self.ended <= self.began else f"{began:.3f} to {ended:.3f} s"
        lines = [f"the witnesses contradict each other about {self.about}, {when}", ""]
        return "\n".join([*lines, *(f"  {name:<11} {said}" for name, said in self.told)])


def contradictions_about_states(
    timeline: Timeline, until: int, *, by_segments: bool = True
) -> list[Contradiction]:
    """Everything that lasts and that no known difference explains.

    until: the moment (ns) up to which every witness has been heard. by_segments: whether the
    segments are a witness.
    """
    inferred = _inferred(timeline) if by_segments else {}
    keys = {*timeline.endpoints(), *_keys_beside(timeline)}
    found: list[Contradiction] = []
    for key in (one for all_of in sorted(keys, key=str) for one in _told_apart(timeline, all_of)):
        accounts = _up_to_what_was_missed(_accounts(timeline, key, inferred.get(key, []), until))
        for index, account in enumerate(accounts):
            for other in accounts[index + 1 :]:
                found += _disagreements(endpoint_text(timeline, key), account, other)
    return sorted(found, key=lambda each: each.began)


def _told_apart(timeline: Timeline, key: EndpointKey) -> Iterable[EndpointKey]:
    """Each of several listeners that had one address, perhaps at one time."""
    return timeline.sockets_at(key) if key[2] is None else (key,)


def _keys_beside(timeline: Timeline) -> Iterable[EndpointKey]:
    """The endpoints that the witnesses beside psutil saw."""
    for event in timeline.events:
        if isinstance(event, (StateChanged, SocketGlanced)):
            yield event.host, event.local, event.remote


def _inferred(timeline: Timeline) -> dict[EndpointKey, list[Inferred]]:
    """What was captured on each host says of its own ends, by endpoint.

    Of an end whose segments were crafted nothing: there is no socket behind them.
    """
    crafted = {
        (event.host, event.source, event.destination)
        for event in timeline.events
        if isinstance(event, SegmentCrafted)
    }
    found: dict[EndpointKey, list[Inferred]] = {}
    for host, segments in timeline.arrived.items():
        if host in timeline.between:
            continue
        sound = [each for each in segments if each not in timeline.unsound]
        for each in infer_states(sound, captured_at_host=True):
            key = host, each.local, each.remote
            if timeline.names.host(each.local.ip) == host and key not in crafted:
                found.setdefault(key, []).append(each)
    return found


def _accounts(
    timeline: Timeline, key: EndpointKey, inferred: Sequence[Inferred], until: int
) -> Iterable[Account]:
    changes = timeline.changes(key)
    if changes and (key[2] is not None or len([*timeline.sockets_at(key)]) == 1):
        yield Account("tracepoint", TRACEPOINT, exact_spans(changes, until))
    if inferred:
        host, local, remote = key
        sent = [
            each
            for each in timeline.arrived[host]
            if (each.source, each.destination) == (local, remote)
        ]
        spans = inferred_spans(inferred, sent, until)
        if holds_back(timeline, host):  # what proves that a state was left comes late or never
            spans = tuple(replace(span, left_unseen=True) for span in spans)
        yield Account("segments", SEGMENTS, spans)
    last = min(until, timeline.glanced.get(key[0], 0))
    yield Account("psutil", SOCKETS, sampled_spans(timeline.history(key), last))
    yield Account("sock_diag", SOCKETS, sampled_spans(timeline.glances(key), last))


def sampled_spans(looks: Sequence[Look], last: int) -> tuple[Span, ...]:
    """From the end of the first look that saw a state to the beginning of the last that did.

    last: the beginning of the last look of all.
    """
    runs: list[tuple[State, int]] = []
    ends: list[int] = []
    for look in looks:
        if not runs or runs[-1][0] is not look.state:
            if runs:
                ends.append(look.not_before)
            runs.append((look.state, look.time))
    ends.append(last)
    return tuple(
        Span(state, began, ended)
        for (state, began), ended in zip(runs, ends, strict=False)
        if ended > began
    )


def exact_spans(changes: Sequence[StateChanged], until: int) -> tuple[Span, ...]:
    """From each change to the next one of the same chain.

    The kernel may lose a record and not say so (kernel/events/core.c, get_recursion_context): that
    nothing was told is no proof that nothing happened. So a state that no further change leaves may
    have been left for one that follows it.
    """
    found = []
    nexts: tuple[StateChanged | None, ...] = (*changes[1:], None)
    for change, after in zip(changes, nexts, strict=True):
        linked = after is not None and after.before is change.after is not State.CLOSED
        ended = after.time if after is not None else until
        if ended > change.time:
            found.append(Span(change.after, change.time, ended, left_unseen=not linked))
    return tuple(found)


def inferred_spans(
    inferred: Sequence[Inferred], sent: Sequence[Segment], until: int
) -> tuple[Span, ...]:
    """From when a change is proved to the next one that is as much as possible.

    A segment that the end sent itself is proof at once; one that was on its way to it, when the end
    (`sent`: its own segments) acknowledges it. What nothing acknowledges, such as an ACK, may have
    been dropped behind the capture, whatever a copy of it brought about later. Of several copies
    of a FIN, whose acknowledgement can wait, any may have been the one.
    """
    ends = [*(each.earliest for each in inferred[1:]), until]
    return tuple(
        Span(each.after, proved, ended)
        for each, ended in zip(inferred, ends, strict=True)
        if each.certain and ended > (proved := _proved_at(each, sent, ended))
    )


def _proved_at(change: Inferred, sent: Sequence[Segment], ended: int) -> int:
    caused = change.segment
    if caused.source == change.local:
        return change.time
    if caused.end == caused.sequence:
        return ended
    proofs = (
        each.time
        for each in sent[bisect_left(sent, change.time, key=lambda each: each.time) :]
        if each.acknowledgement is not None and distance(caused.end, each.acknowledgement) >= 0
    )
    return next(proofs, ended)


def _up_to_what_was_missed(accounts: Iterable[Account]) -> list[Account]:
    """The accounts, each without what it tells of a state that another one saw to be over.

    A witness that missed the end of one connection has nothing to say of the next one of the same
    addresses.
    """
    heard = list(accounts)
    return [
        replace(account, spans=tuple(_cut(span, account, heard) for span in account.spans))
        for account in heard
    ]


def _cut(span: Span, account: Account, heard: Sequence[Account]) -> Span:
    if not span.left_unseen:
        return span
    over = (
        opposite.began
        for other in heard
        if other is not account
        for opposite in other.spans
        if span.began < opposite.began < span.ended and opposite.state in ahead(span.state)
    )
    return replace(span, ended=min(over, default=span.ended))


def _disagreements(about: str, one: Account, other: Account) -> list[Contradiction]:
    found = []
    for span in one.spans:
        for opposite in other.spans:
            began, ended = max(span.began, opposite.began), min(span.ended, opposite.ended)
            if ended - began <= SKEW or span.state is opposite.state:
                continue
            if _may_have_left(span, opposite) or _may_have_left(opposite, span):
                continue
            if reason_for(one.kind, span.state, other.kind, opposite.state) is None:
                told = (one.witness, str(span.state)), (other.witness, str(opposite.state))
                found.append(Contradiction(about, began, ended, told))
    return found


def _may_have_left(span: Span, opposite: Span) -> bool:
    return span.left_unseen and opposite.state in ahead(span.state)


def is_local(timeline: Timeline, key: EndpointKey) -> bool:
    """Whether both ends are on one host: what passes there is not always captured and traced."""
    host, local, remote = key
    ends = [local] if remote is None else [local, remote]
    return all(timeline.names.host(end.ip) in (host, "localhost") for end in ends)
