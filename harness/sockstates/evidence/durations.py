"""How long an endpoint was in a state, as far as the witnesses tell, and whether that is enough.

Pure. An exact witness gives a number, samples give bounds: a state lasted at least from the first
sample that saw it to the last, and at most from the last one before it to the first one after it.
What these bounds do not decide is inconclusive. How early and late a timer may seem is said in one
place, `early` and `late` in `sockstates.tcp.timers`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from sockstates.evidence.passages import Stage
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.states import State
from sockstates.tcp.timers import early, late


class Decision(enum.Enum):
    """How a judgement on bounds ends."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Lasted:
    """Seconds for which something lasted: `least` and `most`; `over` once it has ended."""

    least: float
    most: float
    over: bool = True

    def __str__(self) -> str:
        if not self.over:
            return f"{self.least:.3f} s so far"
        if self.most - self.least < 0.0005:
            return f"{self.least:.3f} s"
        return f"between {self.least:.3f} and {self.most:.3f} s"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that something should last, at least and at most, by the clock on the wall."""

    least: float = 0.0
    most: float = float("inf")
    of_timer: bool = False
    """Whether `most` is how late a timer may be where the machine has nothing else to do."""

    @classmethod
    def timer(cls, seconds: float) -> Limits:
        """As long as a timer of the kernel of this length."""
        return cls(early(seconds), late(seconds), of_timer=True)

    def __str__(self) -> str:
        if self.most == float("inf"):
            return f"at least {self.least:g} s"
        if self.least == 0:
            return f"at most {self.most:g} s"
        return f"between {self.least:g} and {self.most:g} s"


def time_in(seen: Sequence[Stage], state: State, until: int) -> Lasted | None:
    """How long the endpoint was in `state`, the last time it was; None when it never was.

    until: the moment (ns) to which a state that has not ended is known to last.
    """
    for index in reversed(range(len(seen))):
        if seen[index].state is state:
            break
    else:
        return None
    began = seen[index].began
    over = index + 1 < len(seen)
    ended = seen[index + 1].began if over else (until, until)
    least = max(0, ended[0] - began[1])
    most = ended[1] - began[0] if over else float("inf")
    return Lasted(least / NANOSECONDS, most / NANOSECONDS, over)


def decide(lasted: Lasted, limits: Limits) -> Decision:
    """Whether what is known of a duration lies within the limits, outside, or may do either.

    A timer is never early, whatever the machine does. That it is later than timers are by
    themselves does not tell a wrong timer from a machine that had other work to do: undecided.
    """
    if lasted.most < limits.least:
        return Decision.FAILS
    if lasted.least > limits.most:
        return Decision.UNDECIDED if limits.of_timer else Decision.FAILS
    if lasted.least >= limits.least and lasted.most <= limits.most:
        return Decision.HOLDS
    return Decision.UNDECIDED
