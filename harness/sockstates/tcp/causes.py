"""Backwards: which silences last so long, end so, or look so. Pure: what was seen in, causes out.

Candidates are the predictor's own answers: for the settings as they are, with one of them changed
to a value that people use, and for other kernels' defaults. Beside them stand a few waits that no
retransmission timer makes (`sockstates.tcp.other_waits`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf, log

from sockstates.tcp.kernel import OLDEST, Kernel
from sockstates.tcp.kernel_settings import IPV4, SETTINGS
from sockstates.tcp.other_waits import WAITS
from sockstates.tcp.prediction import KINDS, ORPHANED, Prediction, predict
from sockstates.tcp.silence import Situation
from sockstates.tcp.states import State
from sockstates.tcp.timers import early, late

STATES: Mapping[str, tuple[State, ...]] = {
    "syn": (State.SYN_SENT,),
    "synack": (State.SYN_RECV,),
    "data": (State.ESTABLISHED, State.CLOSE_WAIT),
    "probe": (State.ESTABLISHED, State.CLOSE_WAIT),
    "keepalive": (State.ESTABLISHED, State.CLOSE_WAIT),
    "fin": (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING),
    "fin-wait2": (State.FIN_WAIT2,),
    "time-wait": (State.TIME_WAIT,),
}
"""In which states an endpoint waits for the end of each kind."""

USED: Mapping[str, tuple[int, ...]] = {
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
}
"""Values that people set instead of the default."""
USER_TIMEOUTS = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900)
"""Seconds that programs set as TCP_USER_TIMEOUT."""
AS_IT_IS, CHANGED, OTHER_KERNEL, HEALED = 0, 1, 2, 3
"""How far from what is in force, the nearest first."""
LOSS_PROBED = ("data", "fin")
"""Whose first repetition is a tail loss probe, which the kernel does not count as one."""


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
    seconds: when it ends; None: never. spread: how much longer it may take (a factor).
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


def ranked(seen: Seen, machine: Situation) -> list[Cause]:
    """Causes that fit, the most likely first.

    What is in force comes before what somebody changed, and the nearest moment first.
    """
    fitting = [each for each in candidates(machine) if each.is_like(seen) and not each.off(seen)]
    fitting.sort(key=lambda each: (each.distance, _ratio(each, seen), _words(each)))
    found: dict[tuple[str, str], Cause] = {}
    for each in fitting:
        found.setdefault((each.kind or each.title, "" if each.distance else each.title), each)
    return list(found.values())


def nearest(seen: Seen, machine: Situation) -> Cause | None:
    """What misses by the least of all that looks so; None: nothing looks so, however long."""
    alike = [each for each in candidates(machine) if each.is_like(seen)]
    return min(alike, key=lambda each: (each.off(seen), each.distance), default=None)


def _words(cause: Cause) -> int:
    """What needs less to be said comes first, and what is no timer of TCP's last."""
    return len(cause.line.split()) or 9


def _ratio(cause: Cause, seen: Seen) -> float:
    """How far off the nominal moment is, in hundredths: so the commoner of two alike is first."""
    if not seen.seconds or not cause.seconds:
        return 0.0
    return round(abs(log(seen.seconds / cause.seconds)), 2)


def candidates(machine: Situation) -> Iterator[Cause]:
    """Everything that is thought of."""
    for kind in KINDS:
        orphan = kind in ORPHANED
        own = replace(machine, orphan=orphan)
        as_it_is = list(_of(kind, own, kind, AS_IT_IS))
        yield from as_it_is
        if kind in ("fin", "probe"):
            other = "--owned" if orphan else "--orphan"
            yield from _of(kind, replace(own, orphan=not orphan), f"{kind} {other}", AS_IT_IS)
        for each in (*_changed(kind, own), *_elsewhere(kind, own)):
            if each.seconds != as_it_is[0].seconds:
                yield each
    for wait in WAITS:
        yield Cause(
            *(wait.title, "", wait.seconds, None, wait.errno, wait.states, None),
            *(wait.changed_by, AS_IT_IS),
        )


def _elsewhere(kind: str, own: Situation) -> Iterator[Cause]:
    """With the defaults of a kernel on the other side of the change that most articles precede."""
    since = SETTINGS["tcp_syn_linear_timeouts"].since
    version = OLDEST if own.kernel.version >= since else since
    line = f"{kind} --kernel {version[0]}.{version[1]}"
    other = Situation(Kernel(version, own.kernel.hz), {}, {}, own.orphan)
    yield from _of(kind, other, line, OTHER_KERNEL)


def _changed(kind: str, own: Situation) -> Iterator[Cause]:
    for name in KINDS[kind].settings:
        for value in USED.get(name, ()):
            if own.kernel.version >= SETTINGS[name].since and own.value(name) != value:
                settings = {**own.settings, IPV4 + name: str(value)}
                line = f"{kind} --set {name}={value}"
                yield from _of(kind, replace(own, settings=settings), line, CHANGED)
    if "TCP_USER_TIMEOUT" in KINDS[kind].settings and kind != "keepalive":
        for seconds in USER_TIMEOUTS:
            options = {"TCP_USER_TIMEOUT": seconds * 1000.0}
            line = f"{kind} --option TCP_USER_TIMEOUT={seconds * 1000}"
            yield from _of(kind, replace(own, options=options), line, CHANGED)


def _of(kind: str, situation: Situation, line: str, distance: int) -> Iterator[Cause]:
    """The end of it; and with the settings as they are, that a repetition got through."""
    made = predict(kind, situation)
    errno = made.errno
    title = made.kind.title
    if distance != AS_IT_IS:
        title += f" ({line.partition(' ')[2].replace('--set ', '').replace('--option ', '')})"
    yield Cause(
        *(title, line, made.gives_up, made.sooner, errno, STATES[kind], len(made.moments)),
        *(made.kind.settings, distance, kind),
    )
    if distance == AS_IT_IS and kind in ("syn", "data") and not situation.orphan:
        yield from _healed(kind, made, line)


def _healed(kind: str, made: Prediction, line: str) -> Iterator[Cause]:
    what = {"syn": "SYN (or its answer)", "data": "data"}[kind]
    for number, moment in enumerate(made.moments, 1):
        lost = f"the {what} was lost" + (f" {number} times" if number > 1 else "")
        title = f"{lost}, and then got through: a pause, no error"
        yield Cause(
            *(title, line, moment, None, "", STATES[kind], number, made.kind.settings, HEALED),
            f"{kind} healed",
        )
