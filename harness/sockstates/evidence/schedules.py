"""Whether something was repeated when it should be: moments that were seen against a schedule.

Pure. A kernel timer starts anew with each transmission, so what is judged are the gaps; a user
timeout runs from one of them. How early
and how late a timer may seem is said in one place, `early` and `late` in `sockstates.tcp.timers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sockstates.evidence.waited import waited_text
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.prediction import Prediction
from sockstates.tcp.segment import Segment, distance
from sockstates.tcp.timers import early, late

_SAME = 1e-6
"""Seconds by which two sums of the same gaps may differ."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """What was seen of something that is repeated until it is given up.

    started: when the timer was started (ns), which is when it was sent first, or just before.
    repeats: when it was sent again, each time.
    given_up: the span in which it was given up: at its beginning it was not yet so, at its end
    it was seen. None: not given up.
    due: when the kernel itself said (sock_diag) that the timer then running would run out, one for
    `started` and one for each repetition; None where no sample tells.
    """

    started: int
    repeats: tuple[int, ...]
    given_up: tuple[int, int] | None = None
    due: tuple[int | None, ...] = ()

    def was_set_for(self, number: int, gap: float) -> bool:
        """Whether the timer that was started with transmission `number` was set as it should be.

        A timer that is due is run by a softirq, which on a machine without a free processor waits
        for one like everybody else (ksoftirqd). What was late then is the machine.
        """
        due = self.due[number] if number < len(self.due) else None
        if due is None:
            return False
        length = (due - (self.started, *self.repeats)[number]) / NANOSECONDS
        return early(gap) <= length <= late(gap)


def faults(seen: Repeated, made: Prediction, times: int | None = None) -> list[str]:
    """What is not as predicted, each as a sentence; nothing when all is.

    times: only so many repetitions are meant, and no giving up.
    """
    if times is not None:
        wanted = made.moments[:times]
        return [*_count(seen, len(wanted), exactly=False), *_gaps(seen, (0.0, *wanted))]
    schedule = _schedule_of(seen, made)
    problems = _count(seen, len(schedule) - 2, exactly=True) or _gaps(seen, schedule[:-1])
    if len(seen.repeats) != len(schedule) - 2:
        return problems
    if seen.given_up is None:
        return [*problems, "it was not given up"]
    start = len(schedule) - 2 if made.timed_from is None else made.timed_from
    since = (seen.started, *seen.repeats)[start]
    earliest, latest = (moment - since for moment in seen.given_up)
    set_right = made.timed_from is None and seen.was_set_for(start, schedule[-1] - schedule[start])
    fault = _fault("it was given up", (earliest, latest), schedule[-1] - schedule[start], set_right)
    return [*problems, *filter(None, [fault])]


def _schedule_of(seen: Repeated, made: Prediction) -> tuple[float, ...]:
    """The schedule that this is to be held against, where late timers can make it shorter.

    TCP_USER_TIMEOUT lasts as long with one repetition less, if that may have come too late for it.
    """
    whole, repeats = made.schedule, len(seen.repeats)
    if made.gives_up is None or repeats >= len(made.moments):
        return whole
    shorter = (*whole[: repeats + 1], made.gives_up)
    if made.sooner is not None and whole[repeats + 1] >= made.sooner:
        return whole[: repeats + 2]
    if made.timed_from is None or repeats < made.timed_from:
        return whole
    start = whole[made.timed_from]
    too_late = late(whole[repeats + 1] - start) >= made.gives_up - start
    return shorter if too_late else whole


def _count(seen: Repeated, wanted: int, *, exactly: bool) -> list[str]:
    number = len(seen.repeats)
    if number == wanted or (number > wanted and not exactly):
        return []
    return [f"sent again {number} {'time' if number == 1 else 'times'}, expected {wanted}"]


def _gaps(seen: Repeated, schedule: Sequence[float]) -> list[str]:
    gaps = [end - start for start, end in pairwise(schedule)]
    took = [end - start for start, end in pairwise((seen.started, *seen.repeats))]
    found = (
        _fault(
            f"repetition {number} came",
            (each, each),
            gap,
            seen.was_set_for(number - 1, gap) or _was_doubled(gap, gaps[number:], took[number:]),
        )
        for number, (each, gap) in enumerate(zip(took, gaps, strict=False), 1)
    )
    return [*filter(None, found)]


def _was_doubled(gap: float, gaps: Sequence[float], took: Sequence[int]) -> bool:
    """Whether the next timer was right, and is set to twice what this one had been set to.

    So a kernel backs off (RFC 6298, 5.5), however late this one was run. Between equal gaps there
    is no such word, nor of the last one, which ends with giving up.
    """
    if not gaps or not took or abs(gaps[0] - 2 * gap) > _SAME:
        return False
    return early(gaps[0]) <= took[0] / NANOSECONDS <= late(gaps[0])


def _fault(what: str, span: tuple[int, int], gap: float, set_right: bool) -> str:
    """The sentence, when a moment somewhere in `span` (ns since the last one) cannot be on time."""
    earliest, latest = (each / NANOSECONDS for each in span)
    if latest < early(gap):
        return f"{what} early, after {latest:.6f} s instead of {gap:g} s"
    if earliest > late(gap) and not set_right:
        return f"{what} late, after {earliest:.6f} s instead of {gap:g} s (at most {late(gap):g} s)"
    return ""


def explain_schedule(who: str, seen: Repeated, made: Prediction, times: int | None = None) -> str:
    """Expected beside seen, in seconds from the first transmission, and every fault."""
    moments = [f"{(each - seen.started) / NANOSECONDS:.3f}" for each in seen.repeats]
    end = "not given up"
    if seen.given_up is not None:
        end = f"given up at {(seen.given_up[1] - seen.started) / NANOSECONDS:.3f}"
    expected = [f"{each:.3f}" for each in made.moments[:times]]
    last = (
        "" if times is not None or made.gives_up is None else f", given up at {made.gives_up:.3f}"
    )
    what = made.kind.repeats or made.kind.name
    lines = [
        f"{who} did not do with its {what} what was predicted",
        "",
        f"  expected  again at {', '.join(expected) or '-'}{last}",
        f"  seen      again at {', '.join(moments) or '-'}, {end}",
    ]
    return "\n".join(lines + [f"            {each}" for each in faults(seen, made, times)])


def repetitions(segments: Iterable[Segment]) -> list[Segment]:
    """Those of one sender's segments that carry again what it had sent before: data, SYN or FIN.

    A later SYN with another number begins a new connection; the SYN-ACK of a simultaneous open
    answers the peer's SYN.
    """
    found: list[Segment] = []
    syn: tuple[str, int] | None = None
    end: int | None = None
    for segment in segments:
        if segment.end == segment.sequence:
            continue
        opens = segment.has("S") and syn != (segment.flags, segment.sequence)
        if opens:
            syn = segment.flags, segment.sequence
        if opens or end is None or distance(segment.sequence, end) <= 0:
            end = segment.end
            continue
        found.append(segment)
        if distance(end, segment.end) > 0:
            end = segment.end
    return found


def explain_repetitions(
    who: str, times: int, seen: Sequence[Segment], origin: int, waited: float
) -> str:
    """How often it was sent again, and when."""
    moments = ", ".join(f"{(each.time - origin) / NANOSECONDS:.3f}" for each in seen)
    lines = [
        f"{who} did not send again as often as expected within {waited_text(waited)}",
        "",
        f"  expected  {times} times",
        f"  seen      {len(seen)} times" + (f", at {moments} s" if seen else ""),
    ]
    return "\n".join(lines)
