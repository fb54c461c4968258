"""Whether two runs of one scenario agree: settings, states, what was sent again, and errors.

Pure. A difference is what cannot be explained by how finely each run was watched, by when each of
them ended, or by how exactly a kernel's timers run (`late` and `early` in `tcp.timers`, for
each run's own tick). What only one of the two could see is a remark; so is when SYNs were sent
again where one of the kernels has no tcp_syn_linear_timeouts, since Linux 6.5, and the other one is
set to use them: those are not the same schedules.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from sockstates.evidence.passages import Passage, Stage, passages, stages
from sockstates.evidence.sendings import (
    FIRST_CHOSEN_BY_KERNEL,
    Sending,
    ends,
    recorded_until,
    sendings,
)
from sockstates.record.events import NANOSECONDS, CallBegan, HostReady, SysctlSet
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.limits import setting
from sockstates.tcp.states import State
from sockstates.tcp.timers import TICK, late, lengths_of

ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Run:
    """A run's recording; tick: of its kernel, in seconds, the longest where it is not known."""

    timeline: Timeline
    tick: float = TICK


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the runs do not have alike, with what each of them has."""

    what: str
    first: str
    second: str
    differs: bool = True
    """False: only a remark, because one of them could not see it, or ended before."""


def compare(first: Run, second: Run) -> list[Finding]:
    """All that the two runs do not have alike."""
    return [
        *_settings(first.timeline, second.timeline),
        *_connections(first.timeline, second.timeline),
        *_states(first, second),
        *_schedules(first, second),
        *_calls(first.timeline, second.timeline),
    ]


def _settings(first: Timeline, second: Timeline) -> Iterator[Finding]:
    """Like is compared with like: a setting that both kernels have has one value."""
    here, there = _in_force(first), _in_force(second)
    for host, name in dict.fromkeys([*here, *there]):
        one, other = here.get((host, name), ABSENT), there.get((host, name), ABSENT)
        if one != other:
            differs = ABSENT not in (one, other)
            yield Finding(f"{host}: {name}", one, other, differs=differs)


def _in_force(timeline: Timeline) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for event in timeline.events:
        if isinstance(event, HostReady):
            found.update({(event.host, name): value for name, value in event.sysctls.items()})
        elif isinstance(event, SysctlSet):
            before = found.get((event.host, event.name))
            found[event.host, event.name] = f"{before}, then {event.value}"
    return found


def _connections(first: Timeline, second: Timeline) -> Iterator[Finding]:
    here, there = ends(first), ends(second)
    for name in [each for each in {**here, **there} if not (each in here and each in there)]:
        said = ("on the wire", ABSENT) if name in here else (ABSENT, "on the wire")
        yield Finding(name, *said)


@dataclass(frozen=True, slots=True)
class _Life:
    """What one run saw of an end; until: when its host was looked at last (ns)."""

    seen: Sequence[Stage]
    possible: Sequence[Passage]
    until: int
    tick: float

    @classmethod
    def of(cls, run: Run, key: EndpointKey) -> _Life:
        seen = stages(run.timeline, key)
        return cls(seen, passages(seen), recorded_until(run.timeline, key[0]), run.tick)


def _states(first: Run, second: Run) -> Iterator[Finding]:
    here, there = ends(first.timeline), ends(second.timeline)
    for name in [each for each in here if each in there]:
        one, other = _Life.of(first, here[name]), _Life.of(second, there[name])
        said = _passage_text(one.possible), _passage_text(other.possible)
        what = f"{name}: states"
        if set(one.possible) & set(other.possible):
            if len(one.possible) != len(other.possible):
                yield Finding(what, *said, differs=False)
            continue
        cut = _ended_before(one, other) or _ended_before(other, one)
        missed = _missed_a_change(first.timeline, here[name]) or _missed_a_change(
            second.timeline, there[name]
        )
        yield Finding(what, *said, differs=not cut and not missed)


def _missed_a_change(timeline: Timeline, key: EndpointKey) -> bool:
    """Whether the tracepoint itself shows that the kernel did not tell all: perf drops records.

    A change then begins in another state than the one before it ended in.
    """
    changes = timeline.changes(key)
    return any(one.after is not other.before for one, other in pairwise(changes))


def _passage_text(possible: Sequence[Passage]) -> str:
    text = " > ".join(str(state) for state in possible[0])
    return text if len(possible) == 1 else f"{text}, or one of {len(possible) - 1} other ways"


def _ended_before(one: _Life, more: _Life) -> bool:
    """Whether `one` only ended before what the other one saw next could be expected of it."""
    began = one.seen[-1].began[1] if one.seen else one.until
    stood = (one.until - began) / NANOSECONDS
    return any(
        stood <= late(_lasted(more.seen, long[len(short)]), one.tick)
        for short in one.possible
        for long in more.possible
        if len(long) > len(short) and long[: len(short)] == short
    )


def _lasted(seen: Sequence[Stage], state: State) -> float:
    """How long (seconds, at most) what came before a state was seen to last."""
    for before, stage in pairwise(seen):
        if stage.state is state:
            return (stage.began[1] - before.began[0]) / NANOSECONDS
    return 0.0


def _linear_timeouts(timeline: Timeline) -> set[int]:
    """How many repetitions of a SYN come without doubling, on the hosts of this run."""
    ready = (event for event in timeline.events if isinstance(event, HostReady))
    return {setting(each.sysctls, "tcp_syn_linear_timeouts") for each in ready}


def _schedules(first: Run, second: Run) -> Iterator[Finding]:
    alike = _linear_timeouts(first.timeline) == _linear_timeouts(second.timeline)
    for finding in _repeated(first, second):
        is_handshake = ": SYN" in finding.what
        yield finding if alike or not is_handshake else replace(finding, differs=False)


def _repeated(first: Run, second: Run) -> Iterator[Finding]:
    here, there = sendings(first.timeline), sendings(second.timeline)
    for name in [each for each in here if each in there]:
        for what in dict.fromkeys([*here[name], *there[name]]):
            one, other = here[name].get(what), there[name].get(what)
            if one is None or other is None:
                lacking = here[name] if one is None else there[name]
                finding = _sent_by_one(f"{name}: {what}", one, other)
                yield from (
                    replace(each, differs=not _cut_elsewhere(what, lacking)) for each in finding
                )
            elif len(one.moments) > 1 or len(other.moments) > 1:
                yield from _schedule(f"{name}: {what}", (one, first.tick), (other, second.tick))


def _sent_by_one(what: str, one: Sending | None, other: Sending | None) -> Iterator[Finding]:
    """A segment that only one run has, and had to send again.

    Of a SYN-ACK that the peer has asked for again nothing is compared: one run may not have it.
    """
    sent = one or other
    if sent is not None and len(sent.moments) > 1 and ": SYN-ACK" not in what:
        yield Finding(what, _sending_text(one), _sending_text(other))


def _cut_elsewhere(what: str, lacking: Mapping[str, Sending]) -> bool:
    """Whether the run that lacks these bytes sent others.

    Where a stream is cut into segments is a matter of how fast it was taken.
    """
    return what.startswith("bytes") and any(each.startswith("bytes") for each in lacking)


def _sending_text(sending: Sending | None) -> str:
    if sending is None:
        return "never sent"
    gaps = ", ".join(f"{gap:.3f}" for gap in sending.gaps)
    again = f"again after {gaps} s" if gaps else "sent once"
    ending = "given up" if sending.gave_up else "no more"
    return f"{again}, {ending} for {sending.silence:.3f} s"


def _schedule(
    what: str, one: tuple[Sending, float], other: tuple[Sending, float]
) -> Iterator[Finding]:
    said = _sending_text(one[0]), _sending_text(other[0])
    for gap, gap_there in zip(one[0].gaps, other[0].gaps, strict=False):
        if not one_timer(gap, one[1], gap_there, other[1]):
            yield Finding(what, *said)
            return
    short, long = sorted((one, other), key=lambda each: len(each[0].moments))
    place = len(short[0].gaps)
    if place == len(long[0].gaps):
        return
    due = late(lengths_of(long[0].gaps[place], long[1])[1], short[1])
    yield Finding(what, *said, differs=short[0].gave_up or short[0].silence > due)


def one_timer(seen: float, tick: float, there: float, tick_there: float) -> bool:
    """Whether one length of a timer explains both times (seconds): neither is early nor late."""
    shortest, longest = lengths_of(seen, tick)
    shortest_there, longest_there = lengths_of(there, tick_there)
    return max(shortest, shortest_there) <= min(longest, longest_there)


def _calls(first: Timeline, second: Timeline) -> Iterator[Finding]:
    here, there = _outcomes(first), _outcomes(second)
    for what in dict.fromkeys([*here, *there]):
        one, other = here.get(what, ABSENT), there.get(what, ABSENT)
        if one != other:
            yield Finding(what, one, other)


def _outcomes(timeline: Timeline) -> dict[str, str]:
    """How the calls of each socket ended, by call; the same outcome in a row is said once."""
    names = {key: name for name, key in ends(timeline).items()}
    found: dict[str, list[str]] = {}
    begun = [event for event in timeline.events if isinstance(event, CallBegan)]
    for call in sorted(begun, key=lambda each: each.call):
        ended = timeline.call(call.call)
        outcome = "still waiting" if ended is None else _error_text(ended.error)
        found.setdefault(f"{_socket(names, call)}: {call.name}", []).append(outcome)
    return {what: ", ".join(key for key, _ in groupby(each)) for what, each in found.items()}


def _socket(names: dict[EndpointKey, str], call: CallBegan) -> str:
    if call.local is None:
        return call.host
    known = names.get((call.host, call.local, call.remote))
    if known:
        return known
    port = call.local.port if call.local.port < FIRST_CHOSEN_BY_KERNEL else "*"
    return f"{call.host}.{port}" + (" (listener)" if call.remote is None else "")


def _error_text(error: int) -> str:
    return "ok" if not error else errno.errorcode.get(error, f"error {error}")
