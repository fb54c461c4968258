"""What can be expected of an endpoint, judged on recorded evidence and explained when it fails.

Pure: an expectation looks at a timeline and says whether it holds. Waiting for it to hold is the
lab's business.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sockstates.evidence.passages import stages
from sockstates.evidence.waited import waited_text
from sockstates.record.events import NANOSECONDS, SocketSeen
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.states import State


class _Anything:
    """The value of a property that an expectation says nothing about."""

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING: Final = _Anything()

WIDTH: Final = 74
"""Columns of an explanation: what pytest leaves of 80."""
OwnerCheck = Callable[[int | None], bool]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a socket open: `text` for people, `holds` for the process id that was seen."""

    text: str
    holds: OwnerCheck


NOBODY: Final = Owner("nobody", lambda pid: pid is None)


@dataclass(frozen=True, slots=True)
class EndpointLooks:
    """An endpoint in a state, perhaps with an owner and with queues of a certain length."""

    key: EndpointKey
    state: State
    owner: Owner | None = None
    send_queue: int | None = None
    receive_queue: int | None = None

    def holds(self, seen: SocketSeen) -> bool:
        """Whether this observation is as expected."""
        return not self.differences(seen)

    def differences(self, seen: SocketSeen) -> list[str]:
        """What is not as expected, each as ``what: seen, expected``."""
        found: list[str] = []
        if seen.state is not self.state:
            found.append(f"state {seen.state}, expected {self.state}")
        if self.owner is not None and not self.owner.holds(seen.owner):
            found.append(f"owner {owner_text(seen.owner)}, expected {self.owner.text}")
        for name in ("send_queue", "receive_queue"):
            expected, value = getattr(self, name), getattr(seen, name)
            if expected is not None and expected != value:
                words = name.replace("_", " ")
                found.append(
                    f"{words} {value if value is not None else 'unknown'}, expected {expected}"
                )
        return found

    def __str__(self) -> str:
        parts = [str(self.state)]
        if self.owner is not None:
            parts.append(f"owner {self.owner.text}")
        if self.send_queue is not None:
            parts.append(f"send queue {self.send_queue}")
        if self.receive_queue is not None:
            parts.append(f"receive queue {self.receive_queue}")
        return ", ".join(parts)


def first_that_holds(timeline: Timeline, looks: EndpointLooks, start: int) -> int | None:
    """The index in the endpoint's history, from `start` on, of the first fitting observation."""
    history = timeline.history(looks.key)
    for index in range(start, len(history)):
        if looks.holds(history[index]):
            return index
    return None


def moment_of_both(timeline: Timeline, looks: tuple[EndpointLooks, EndpointLooks]) -> int | None:
    """A moment (ns) at which both endpoints looked so, or None.

    What a sample saw is known to have been so until the last sample before the next change, or
    until the last sample of all.
    """
    first, second = (_spans(timeline, each) for each in looks)
    for begin, end in first:
        for other_begin, other_end in second:
            if max(begin, other_begin) <= min(end, other_end):
                return max(begin, other_begin)
    return None


def _spans(timeline: Timeline, looks: EndpointLooks) -> list[tuple[int, int]]:
    """When the endpoint is known to have looked so: from the first sample to the last."""
    history = timeline.history(looks.key)
    ends = [after.not_before for after in history[1:]]
    ends.append(timeline.sampled.get(looks.key[0], 0))
    return [
        (seen.time, max(seen.time, end))
        for seen, end in zip(history, ends, strict=False)
        if looks.holds(seen)
    ]


def owner_text(owner: int | None) -> str:
    """An owner as people read it."""
    return "nobody" if owner is None else f"process {owner}"


def endpoint_text(timeline: Timeline, key: EndpointKey) -> str:
    """``server.16868 (to client.43210)``."""
    _, local, remote = key
    text = timeline.names.endpoint(local)
    return text if remote is None else f"{text} (to {timeline.names.endpoint(remote)})"


def observation_text(timeline: Timeline, seen: SocketSeen | None, origin: int) -> str:
    """One observation in a line: state and since when, owner, queues, when its timer is due."""
    if seen is None:
        return "never seen"
    so_far = [each for each in timeline.history(endpoint_of(seen)) if each.time <= seen.time]
    parts = [f"{seen.state} since {_clock(state_since(so_far or [seen]).time, origin)}"]
    if seen.state is not State.CLOSED:
        parts.append(f"owner {owner_text(seen.owner)}")
        if seen.send_queue is not None:
            parts.append(f"queues {seen.send_queue} to send, {seen.receive_queue} to read")
        if seen.timer:
            due = _clock(seen.time + (seen.timer_expires or 0), origin)
            parts.append(f"{seen.timer} timer due at {due}, {seen.retransmits} retransmissions")
    return ", ".join(parts)


def endpoint_of(seen: SocketSeen) -> EndpointKey:
    """Which endpoint it is an observation of."""
    return seen.host, seen.local, seen.remote


def state_since(history: Sequence[SocketSeen]) -> SocketSeen:
    """The first observation of the last one's state, however often queues and owner changed."""
    since = history[-1]
    for seen in reversed(history):
        if seen.state is not since.state:
            break
        since = seen
    return since


def _clock(moment: int, origin: int) -> str:
    return f"{(moment - origin) / NANOSECONDS:.3f} s"


def _earlier_text(seen: SocketSeen, origin: int) -> str:
    """What an observation that is past had to tell; only what was not zero."""
    parts = [f"{seen.state}"]
    if seen.state is not State.CLOSED:
        parts.append(f"owner {owner_text(seen.owner)}")
    if seen.send_queue:
        parts.append(f"{seen.send_queue} to send")
    if seen.receive_queue:
        parts.append(f"{seen.receive_queue} to read")
    if seen.retransmits:
        parts.append(f"{seen.retransmits} retransmissions")
    return f"{_clock(seen.time, origin):>9}  {', '.join(parts)}"


def labelled(label: str, text: str) -> list[str]:
    """A line of an explanation, folded so that it stays readable on a narrow terminal."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {label:<9} ", subsequent_indent=" " * 12)


def _other_endpoints(timeline: Timeline, host: str) -> str:
    """What was seen on the host where an endpoint was looked for in vain; five at most."""
    found = [key for key in timeline.witnessed() if key[0] == host]
    texts = [
        f"{endpoint_text(timeline, key)} {stages(timeline, key)[-1].state}" for key in found[:5]
    ]
    more = [f"{len(found) - 5} more"] if len(found) > 5 else []
    return "; ".join(texts + more) or f"no TCP socket was ever seen on {host}"


def explain_not_reached(
    timeline: Timeline, looks: EndpointLooks, start: int, waited: float, origin: int
) -> str:
    """Expected beside seen, with the history that was searched."""
    history = timeline.history(looks.key)
    latest = history[-1] if history else None
    lines = [
        f"{endpoint_text(timeline, looks.key)} did not reach {looks.state} "
        f"within {waited_text(waited)}",
        "",
        *labelled("expected", str(looks)),
        *labelled("seen", observation_text(timeline, latest, origin)),
    ]
    if latest is not None:
        lines += labelled("differs", "; ".join(looks.differences(latest)))
    else:
        lines += labelled("others", _other_endpoints(timeline, looks.key[0]))
    earlier = history[max(start, len(history) - 6) : -1]
    for number, seen in enumerate(earlier):
        label = "" if number else "before"
        lines.append(f"  {label:<9}{_earlier_text(seen, origin)}")
    return "\n".join(lines)


def explain_not_together(
    timeline: Timeline, looks: tuple[EndpointLooks, EndpointLooks], waited: float, origin: int
) -> str:
    """Expected beside seen, for each of the two endpoints."""
    lines = [
        f"the two ends were not in these states at the same moment within {waited_text(waited)}"
    ]
    for each in looks:
        lines += ["", f"  {endpoint_text(timeline, each.key)}", *labelled("expected", str(each))]
        history = timeline.history(each.key)
        lines += labelled("seen", observation_text(timeline, timeline.latest(each.key), origin))
        for number, seen in enumerate(history[-4:-1]):
            label = "" if number else "before"
            lines.append(f"  {label:<9}{_earlier_text(seen, origin)}")
    return "\n".join(lines)


def explain_did_not_stay(
    timeline: Timeline, looks: EndpointLooks, seen: SocketSeen | None, origin: int, window: str
) -> str:
    """What was seen instead, and when in the window."""
    found = "; ".join(looks.differences(seen)) if seen else "no such endpoint was ever seen"
    lines = [
        f"{endpoint_text(timeline, looks.key)} did not stay {looks.state} {window}",
        "",
        *labelled("expected", str(looks)),
        *labelled("seen", observation_text(timeline, seen, origin)),
        *labelled("differs", found),
    ]
    return "\n".join(lines)
