"""What can be expected of an endpoint, judged on recorded evidence and explained when it fails.

Pure: an expectation looks at a timeline and says whether it holds. Waiting for it to hold is the
lab's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from harness.evidence.events import NANOSECONDS, SocketSeen
from harness.evidence.timeline import EndpointKey, Timeline
from harness.tcp.states import State


class _Anything:
    """The value of a property that an expectation says nothing about."""

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING: Final = _Anything()

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


def moment_of_both(
    timeline: Timeline, looks: tuple[EndpointLooks, EndpointLooks], sampled_at: Mapping[str, int]
) -> int | None:
    """A moment (ns) at which both endpoints looked so, or None.

    What a sample saw is known to have been so until the last sample before the next change:
    `sampled_at` says, by host, when the last sample of all was taken.
    """
    first, second = (_spans(timeline, each, sampled_at) for each in looks)
    for begin, end in first:
        for other_begin, other_end in second:
            if max(begin, other_begin) <= min(end, other_end):
                return max(begin, other_begin)
    return None


def _spans(
    timeline: Timeline, looks: EndpointLooks, sampled_at: Mapping[str, int]
) -> list[tuple[int, int]]:
    """When the endpoint is known to have looked so: from the first sample to the last."""
    history = timeline.history(looks.key)
    ends = [after.not_before for after in history[1:]]
    ends.append(sampled_at.get(looks.key[0], 0))
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


def observation_text(seen: SocketSeen | None, origin: int) -> str:
    """One observation in a line: state, owner, queues, timer, and when it was seen first."""
    if seen is None:
        return "never seen"
    parts = [str(seen.state)]
    if seen.state is not State.CLOSED:
        parts.append(f"owner {owner_text(seen.owner)}")
        if seen.send_queue is not None:
            parts.append(f"queues {seen.send_queue} to send, {seen.receive_queue} to read")
        if seen.timer:
            expires = (seen.timer_expires or 0) / NANOSECONDS
            parts.append(f"{seen.timer} timer {expires:.3f} s, {seen.retransmits} retransmissions")
    return f"{', '.join(parts)}; since {(seen.time - origin) / NANOSECONDS:.3f} s"


def explain_not_reached(
    timeline: Timeline, looks: EndpointLooks, start: int, waited: float, origin: int
) -> str:
    """Expected beside seen, with the history that was searched."""
    history = timeline.history(looks.key)
    lines = [
        f"{endpoint_text(timeline, looks.key)} did not reach {looks.state} within {waited:.1f} s",
        "",
        f"  expected  {looks}",
        f"  seen      {observation_text(history[-1] if history else None, origin)}",
    ]
    if history:
        lines += [f"            {text}" for text in looks.differences(history[-1])]
    earlier = history[max(start, len(history) - 6) : -1]
    if earlier:
        lines += ["", "  before    " + observation_text(earlier[0], origin)]
        lines += ["            " + observation_text(seen, origin) for seen in earlier[1:]]
    return "\n".join(lines)


def explain_not_together(
    timeline: Timeline, looks: tuple[EndpointLooks, EndpointLooks], waited: float, origin: int
) -> str:
    """Expected beside seen, for each of the two endpoints."""
    lines = [f"the two ends were not seen so at one moment within {waited:.1f} s"]
    for each in looks:
        lines += ["", f"  {endpoint_text(timeline, each.key)}", f"  expected  {each}"]
        history = timeline.history(each.key)[-4:]
        texts = [observation_text(seen, origin) for seen in history] or ["never seen"]
        lines += [f"  seen      {texts[0]}", *(f"            {text}" for text in texts[1:])]
    return "\n".join(lines)


def explain_did_not_stay(
    timeline: Timeline, looks: EndpointLooks, seen: SocketSeen | None, origin: int, window: str
) -> str:
    """What was seen instead, and when in the window."""
    found = looks.differences(seen) if seen else ["no such endpoint was ever seen"]
    lines = [
        f"{endpoint_text(timeline, looks.key)} did not stay {looks.state} {window}",
        "",
        f"  expected  {looks}",
        f"  seen      {observation_text(seen, origin)}",
        *(f"            {text}" for text in found),
    ]
    return "\n".join(lines)
