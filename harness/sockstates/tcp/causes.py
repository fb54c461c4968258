"""Backwards: which silences last so long, end so, or look so. Pure: what was seen in, causes out.

Candidates are the predictor's own answers: for the settings as they are; with any one setting or
socket option that the predictor knows changed, first to a value that people use, then to any value
of its range that would last as long as was seen; with keepalive's three together; and for other
kernels' defaults. Beside them stand waits that no retransmission timer makes
(`tcp.other_waits`). A test goes through what `predict` can give and asks for each answer's
cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import inf, log

from sockstates.tcp.kernel import OLDEST, Kernel
from sockstates.tcp.kernel_settings import IPV4, OPTIONS, SETTINGS, Option, Setting
from sockstates.tcp.other_waits import WAITS
from sockstates.tcp.prediction import KINDS, ORPHANED, Prediction, predict
from sockstates.tcp.silence import Situation
from sockstates.tcp.states import State
from sockstates.tcp.timers import TIME_WAIT_LENGTH, early, late

_OPEN = (State.ESTABLISHED, State.CLOSE_WAIT)
_CLOSED_BY_US = (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING)
STATES: Mapping[str, tuple[State, ...]] = {
    "syn": (State.SYN_SENT,),
    "synack": (State.SYN_RECV,),
    "data": _OPEN,
    "probe": _OPEN,
    "keepalive": (*_OPEN, State.FIN_WAIT2),
    "fin": _CLOSED_BY_US,
    "fin-wait2": (State.FIN_WAIT2,),
    "time-wait": (State.TIME_WAIT,),
}
"""In which states an endpoint waits for the end of each kind, while a program has it."""
ORPHANS_STATES: Mapping[str, tuple[State, ...]] = {**STATES, "probe": _CLOSED_BY_US}
"""The same after close(2)."""
EITHER = ("fin", "fin-wait2", "probe")
"""Kinds that are met both with a program and without."""

USED: Mapping[str, tuple[float, ...]] = {
    "tcp_syn_retries": (1, 2, 3, 4, 5, 7, 8),
    "tcp_syn_linear_timeouts": (0,),
    "tcp_synack_retries": (1, 2, 3, 4),
    "tcp_retries2": (3, 4, 5, 6, 7, 8, 9, 10, 12),
    "tcp_orphan_retries": (1, 2, 3, 4, 5, 6, 7),
    "tcp_rto_max_ms": (1000, 5000, 10000, 30000, 60000),
    "tcp_fin_timeout": (5, 10, 15, 20, 30, 120),
    "tcp_keepalive_time": (30, 60, 120, 300, 600, 900, 1800, 3600),
    "tcp_keepalive_intvl": (10, 15, 30, 60),
    "tcp_keepalive_probes": (3, 5, 6),
    "TCP_SYNCNT": (1, 2, 3, 4),
    "TCP_USER_TIMEOUT": tuple(
        1000 * each for each in (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900)
    ),
    "TCP_LINGER2": (-1, 1, 2, 5, 10),
    "SO_LINGER": (0,),
    "SO_SNDTIMEO": (1, 2, 3, 5, 10, 15, 20, 30, 60),
}
"""Values that people set instead of the default, in the unit of the setting or option."""
KEEPALIVE_SETTINGS = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")
KEEPALIVE_OPTIONS = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
KEEPALIVE_INTERVALS = (10, 15, 5, 30, 60, 75, 20, 3, 2, 1, 45)
KEEPALIVE_PROBES = (3, 5, 6, 9, 4, 2, 1, 8, 10)
"""What is usually set together with the idle time; the commonest first."""
AS_IT_IS, CHANGED, OTHER_KERNEL, HEALED, ANY_VALUE = range(5)
"""How far from what is in force, the nearest first."""
LOSS_PROBED = ("data", "fin")
"""Whose first repetition is a tail loss probe, which the kernel does not count as one."""
SECONDS_OF = {"seconds": 1.0, "milliseconds": 0.001, "microseconds": 1e-6}
"""Units of time, by the first word of a setting's or an option's unit."""
MOST_COUNTED = 255
"""Counts beyond that are none that a kernel takes."""
RARE = ("tcp_rto_min_us", "tcp_rto_max_ms", "TCP_RTO_MIN_US", "TCP_RTO_MAX_MS")
"""Settings of recent kernels, which hardly anybody changes."""
NOT_MONOTONIC = ("tcp_syn_linear_timeouts",)
"""Counts of which more can make it shorter."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person knows: seconds, the name of an errno, a state, how often it was sent again.

    rounded: how many seconds more or less the duration may have been.
    """

    seconds: float | None = None
    rounded: float = 0.0
    errno: str = ""
    state: State | None = None
    retransmits: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One way in which it can have come about.

    line: the arguments of ``sockstates predict`` that show it; empty: no timer of those.
    seconds: when it ends; None: never. sooner: the same where late timers let it end sooner.
    names: the settings and options that would have been changed. remarks: the predictor's own.
    """

    title: str
    line: str
    seconds: float | None
    sooner: float | None
    errno: str
    states: tuple[State, ...]
    retransmits: int | None
    changed_by: tuple[str, ...]
    distance: int
    kind: str = ""
    names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def off(self, seen: Seen) -> float:
        """Seconds by which the duration misses what is possible; 0: it fits; inf: never."""
        if seen.seconds is None:
            return 0.0
        if self.seconds is None:
            return inf
        shortest = early(self.sooner if self.sooner is not None else self.seconds)
        least, most = seen.seconds - seen.rounded, seen.seconds + seen.rounded
        return max(0.0, shortest - most, least - late(self.seconds))

    def is_like(self, seen: Seen) -> bool:
        """Whether all but the duration is as it was seen."""
        if seen.errno and seen.errno not in self.errno.split(", "):
            return False
        if seen.state is not None and seen.state not in self.states:
            return False
        if seen.retransmits is None:
            return True
        probed = self.kind in LOSS_PROBED and bool(self.retransmits)
        return seen.retransmits in (self.retransmits, (self.retransmits or 0) - probed)

    def fits(self, seen: Seen) -> bool:
        """Whether it is all as it was seen."""
        return self.is_like(seen) and not self.off(seen)

    def is_too_long(self, seen: Seen) -> bool:
        """Whether even the shortest that it may take is longer than was seen."""
        if seen.seconds is None or self.seconds is None:
            return False
        shortest = early(self.sooner if self.sooner is not None else self.seconds)
        return shortest > seen.seconds + seen.rounded

    def ends_like(self, other: Cause) -> bool:
        """Whether nobody could tell the two apart."""
        return (self.seconds, self.sooner, self.errno, self.retransmits) == (
            *(other.seconds, other.sooner, other.errno, other.retransmits),
        )


def ranked(seen: Seen, machine: Situation) -> list[Cause]:
    """Causes that fit, the most likely first; of each kind and setting the likeliest value.

    What never ends stands beside what does.

    What is in force comes before what somebody changed, and the nearest moment first.
    """
    found: dict[tuple[str, ...], Cause] = {}
    for each in _sorted((each for each in candidates(machine, seen) if each.fits(seen)), seen):
        ends = "" if each.seconds is None else "ends"
        key = (each.kind or each.title, ends, str(each.states), *each.names)
        found.setdefault(key, each)
    return list(found.values())


def nearest(seen: Seen, machine: Situation) -> Cause | None:
    """What misses by the least of all that looks so; None: nothing looks so, however long."""
    alike = [each for each in candidates(machine, seen) if each.is_like(seen)]
    return min(alike, key=lambda each: (each.off(seen), each.distance), default=None)


def _sorted(causes: Iterable[Cause], seen: Seen) -> list[Cause]:
    def likely(each: Cause) -> tuple[float, ...]:
        rare = any(name in RARE for name in each.names)
        return each.distance, rare, _ratio(each, seen), _words(each)

    return sorted(causes, key=likely)


def _words(cause: Cause) -> int:
    """What needs less to be said comes first, and what is no timer of TCP's last."""
    return len(cause.line.split()) or 9


def _ratio(cause: Cause, seen: Seen) -> float:
    """How far off the nominal moment is, in hundredths: so the commoner of two alike is first."""
    if not seen.seconds or not cause.seconds:
        return 0.0
    return round(abs(log(seen.seconds / cause.seconds)), 2)


def candidates(machine: Situation, seen: Seen) -> Iterator[Cause]:
    """Everything that is thought of for what was seen."""
    for kind in KINDS:
        for orphan in (False, True) if kind in EITHER else (kind in ORPHANED,):
            own = replace(machine, orphan=orphan)
            if seen.state is None or seen.state in _states(kind, own):
                yield from _of_kind(kind, own, seen)
    for wait in WAITS:
        seconds = seen.seconds if wait.seconds is None else wait.seconds
        yield Cause(
            *(wait.title, "", seconds or 0.0, None, wait.errno, wait.states, None),
            *(wait.changed_by, AS_IT_IS if wait.seconds is not None else ANY_VALUE),
        )


def _of_kind(kind: str, own: Situation, seen: Seen) -> Iterator[Cause]:
    line = kind
    if own.orphan is not (kind in ORPHANED):
        line += " --orphan" if own.orphan else " --owned"
    made = predict(kind, own)
    as_it_is = _cause(made, own, line, AS_IT_IS)
    yield as_it_is
    if kind in ("syn", "data"):
        yield from _healed(kind, made, line)
    for each in (*_changed(kind, own, line, seen), *_elsewhere(kind, own, line)):
        if not each.ends_like(as_it_is):
            yield each


def _states(kind: str, situation: Situation) -> tuple[State, ...]:
    return (ORPHANS_STATES if situation.orphan else STATES)[kind]


def _elsewhere(kind: str, own: Situation, line: str) -> Iterator[Cause]:
    """With the defaults of a kernel on the other side of the change that most articles precede."""
    since = SETTINGS["tcp_syn_linear_timeouts"].since
    version = OLDEST if own.kernel.version >= since else since
    line += f" --kernel {version[0]}.{version[1]}"
    other = Situation(Kernel(version, own.kernel.hz), {}, {}, own.orphan)
    yield _cause(predict(kind, other), other, line, OTHER_KERNEL, ("kernel",))


def names_of(kind: str) -> tuple[str, ...]:
    """The settings and options that the kind's answer can depend on."""
    options = (name for name, known in OPTIONS.items() if kind in known.kinds)
    return tuple(dict.fromkeys((*KINDS[kind].settings, *options)))


def _changed(kind: str, own: Situation, line: str, seen: Seen) -> Iterator[Cause]:
    """With one of them changed, or keepalive's three."""
    for name in names_of(kind):
        known = SETTINGS.get(name) or OPTIONS[name]
        if own.kernel.version < known.since:
            continue
        for value in USED.get(name, ()):
            yield _with(kind, own, line, {name: value}, CHANGED)
        for value in _values(name, known, seen):
            made = _with(kind, own, line, {name: value}, ANY_VALUE)
            yield made
            if _is_count(known) and name not in NOT_MONOTONIC and made.is_too_long(seen):
                break
    if kind == "keepalive" and seen.seconds is not None:
        for names in (KEEPALIVE_OPTIONS, KEEPALIVE_SETTINGS):
            for interval, probes in product(KEEPALIVE_INTERVALS, KEEPALIVE_PROBES):
                idle = round(seen.seconds) - interval * probes
                if 0 < idle <= OPTIONS["TCP_KEEPIDLE"].high:
                    values = dict(zip(names, (idle, interval, probes), strict=True))
                    yield _with(kind, own, line, values, ANY_VALUE)


def _is_count(known: Setting | Option) -> bool:
    return known.unit.split()[0] in ("repetitions", "probes")


def _values(name: str, known: Setting | Option, seen: Seen) -> Iterator[float]:
    """Values of its range that could make it last as long as was seen.

    Counts: each of them. Times: the duration itself, and every number of one or two digits, with
    noughts behind. None is longer than the duration, but for tcp_fin_timeout, of which what is
    above a minute counts (`sockstates.tcp.silence.fin_wait2`).
    """
    if seen.seconds is None:
        return
    unit = SECONDS_OF.get(known.unit.split()[0].rstrip(";"))
    if unit is None:
        yield from range(int(known.low), int(min(known.high, MOST_COUNTED)) + 1)
        return
    longest = seen.seconds + seen.rounded
    if name == "SO_SNDTIMEO":
        yield round(seen.seconds, 3)
        return
    most = min(known.high, (longest + TIME_WAIT_LENGTH) / unit)
    yield from _short_numbers(max(known.low, 0), most)


def _short_numbers(low: float, high: float) -> Iterator[int]:
    """The whole numbers of one or two digits, and those times ten, a hundred, …."""
    digits, zeros = range(100), 1
    while zeros <= high:
        yield from (each * zeros for each in digits if low <= each * zeros <= high)
        digits, zeros = range(10, 100), zeros * 10


def _with(
    kind: str, own: Situation, line: str, values: Mapping[str, float], distance: int
) -> Cause:
    settings = {IPV4 + name: str(int(each)) for name, each in values.items() if name in SETTINGS}
    options = {name: each for name, each in values.items() if name in OPTIONS}
    for name, each in values.items():
        line += f" --{'set' if name in SETTINGS else 'option'} {name}={each:.10g}"
    changed = replace(
        own, settings={**own.settings, **settings}, options={**own.options, **options}
    )
    sets = tuple(changed.settings.items()), tuple(changed.options.items())
    made = _predicted(kind, own.kernel, *sets, orphan=own.orphan, round_trip=own.round_trip)
    return _cause(made, changed, line, distance, tuple(values))


@lru_cache(maxsize=1 << 16)
def _predicted(
    kind: str,
    kernel: Kernel,
    settings: tuple[tuple[str, str], ...],
    options: tuple[tuple[str, float], ...],
    *,
    orphan: bool,
    round_trip: float,
) -> Prediction:
    """Kept: whoever asks about one machine more than once asks for the same thousands."""
    return predict(kind, Situation(kernel, dict(settings), dict(options), orphan, round_trip))


def _cause(
    made: Prediction,
    situation: Situation,
    line: str,
    distance: int,
    names: tuple[str, ...] = (),
) -> Cause:
    """The end of it."""
    title, kind = made.kind.title, made.kind.name
    words = [_SAID.get(each, each) for each in line.split()[1:]]
    if any(words):
        title += f" ({', '.join(filter(None, words)).replace('kernel,', 'kernel')})"
    return Cause(
        *(title, line, made.gives_up, made.sooner, made.errno, _states(kind, situation)),
        *(len(made.moments), names_of(kind), distance, kind, names, made.remarks),
    )


_SAID = {
    "--set": "",
    "--option": "",
    "--kernel": "kernel",
    "--owned": "a program still has the socket",
    "--orphan": "no program has the socket any more",
}
"""The predictor's arguments in words."""


def _healed(kind: str, made: Prediction, line: str) -> Iterator[Cause]:
    """That a repetition got through, with the settings as they are."""
    what = {"syn": "SYN (or its answer)", "data": "data"}[kind]
    for number, moment in enumerate(made.moments, 1):
        lost = f"the {what} was lost" + (f" {number} times" if number > 1 else "")
        title = f"{lost}, and then got through: a pause, no error"
        yield Cause(
            *(title, line, moment, None, "", STATES[kind], number, names_of(kind), HEALED),
            f"{kind} healed",
        )
