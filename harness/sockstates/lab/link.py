"""A lab's cables as links that take time, lose frames, or are slow: `Lab.link`.

By the kernel's own netem, tc-netem(8), at both ends of a cable. Not every kernel has it, and no
package brings it: it is refused by name then. The fixture `wire` needs none of it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from sockstates.lab.addressed_host import AddressedHost
from sockstates.lab.words import HasWords
from sockstates.record.events import NETEM, SysctlSet
from sockstates.sandbox.client.errors import HostGone, KernelLacks, LabError
from sockstates.sandbox.network.topology import WIRE, Plan
from sockstates.sandbox.protocol import NETEM_IS_MISSING, Emulation, EmulationRequests

if TYPE_CHECKING:
    from sockstates.lab.lab import Lab

LONGEST, SLOWEST = 3600.0, 8.0
"""A delay is less than so many seconds; a rate is at least so many bits per second."""
SEEDS = 1 << 64
NEEDED = "CONFIG_NET_SCH_NETEM"


class End(NamedTuple):
    """An end of a cable: a host of the plan, and its interface."""

    host: str
    interface: str


class Link(HasWords):
    """What `Lab.link` made of cables, until it is deleted."""

    def __init__(self, lab: Lab, ends: tuple[End, ...], emulation: Emulation) -> None:
        self.lab = lab
        self.ends = ends
        self.emulation = emulation

    def __repr__(self) -> str:
        return f"<link: {self.emulation}>"

    @property
    def lost(self) -> int:
        """How many frames the ends have lost so far, by netem's own count; no capture has them."""
        return sum(_emulation(self.lab, end.host).told(end.interface).lost for end in self.ends)

    def delete(self) -> None:
        """Make bare cables of them again; frames that wait at their ends are lost."""
        for end in self.ends:
            _end(self.lab, end)
        self.lab.deadlines.patience -= longest_round_trip(self.ends, self.emulation)
        self.lab.links.remove(self)


def link(
    lab: Lab,
    *between: AddressedHost | str,
    delay: float | None = None,
    jitter: float | None = None,
    loss: float | None = None,
    rate: float | None = None,
    seed: int | None = None,
) -> Link:
    """Have cables take time, lose frames, or be slow, in each direction alike: tc-netem(8).

    All cables of the lab, or those of the host named, or the one between the two named (``client``,
    ``router``). Each frame meets it once on each cable: with a router, which has a cable to each
    host, twice on its way. `delay`: seconds; `jitter`: so many more or less, by chance, and frames
    may overtake each other; `loss`: the share that is lost by chance, at most 1; `rate`: bits per
    second, of whole Ethernet frames; `seed`: of the chance, so that each run has the same (Linux
    6.6 or later).

    Make it before the connections: those that were there hand several segments to netem as one.
    Frames wait and are lost before they leave: every time of a capture, the sender's too, is that
    of the end of the wait, and no capture shows a lost frame. `Link.lost` counts them.
    Errors: LabError for what cannot be; KernelLacks where the kernel has no netem, with the ways
    out (``--lab-virtual``, the fixture `wire`).
    """
    ends, emulation = wished(lab, between, Emulation(delay, jitter, loss, rate, seed))
    made = Link(lab, ends, emulation)
    done: list[End] = []
    try:
        for end in made.ends:
            _begin(lab, end, emulation)
            done.append(end)
            if seed is not None and _emulation(lab, end.host).told(end.interface).seed != seed:
                raise KernelLacks(_without("seed=", "Linux 6.6 or later has it"))
    except LabError:
        with suppress(HostGone):
            for end in done:
                _end(lab, end)
        raise
    lab.deadlines.patience += longest_round_trip(made.ends, emulation)
    lab.links.append(made)
    return made


def held_up(lab: Lab, host: str) -> float:
    """Seconds that what a host sends waits at its own end, before it is captured."""
    return sum(
        each.emulation.delay or 0.0
        for each in lab.links
        if any(end.host == host for end in each.ends)
    )


def ends_of(plan: Plan, names: list[str]) -> tuple[End, ...]:
    """The ends of the cables between these hosts; LabError says what there is.

    A wire is part of the cable that it is in: it has no ends of its own.
    """
    cables = [
        {end.host: End(end.host, end.name) for end in cable if end.host != WIRE}
        for cable in plan.cables
    ]
    if any(len(cable) == 1 for cable in cables):  # of a wire: together they are one
        cables = [{host: end for cable in cables for host, end in cable.items()}]
    chosen = [cable for cable in cables if set(names) <= cable.keys()]
    if not chosen or len(set(names)) != len(names):
        there = ", ".join(" and ".join(cable) for cable in cables)
        raise LabError(f"lab.link: no cable lies between {' and '.join(names)}, only: {there}")
    return tuple(end for cable in chosen for end in cable.values())


def wished(
    lab: Lab, between: Iterable[AddressedHost | str], wish: Emulation
) -> tuple[tuple[End, ...], Emulation]:
    """The ends of which cables, and what they are to do; LabError for what is no link."""
    for problem in _problems(wish):
        raise LabError(f"lab.link: {problem}")
    names = [each if isinstance(each, str) else each.name for each in between]
    return ends_of(lab.plan, names), wish


def lacking_netem(lab: Lab) -> str:
    """Why no link can be made here, and the ways out; empty where it can."""
    known = _emulation(lab, lab.request.hosts[0]).is_known()
    return "" if known else _without("netem", f"it was built without {NEEDED}")


def longest_round_trip(ends: tuple[End, ...], emulation: Emulation) -> float:
    """Seconds that a frame and its answer wait in all the ends together, at most."""
    return len(ends) * ((emulation.delay or 0.0) + (emulation.jitter or 0.0))


def _problems(wish: Emulation) -> Iterable[str]:
    delay, jitter, loss, rate, seed = wish.delay, wish.jitter, wish.loss, wish.rate, wish.seed
    if delay is None and loss is None and rate is None:
        yield "what is the link to do? Give delay=, loss= or rate="
    if delay is not None and not 0 < delay < LONGEST:
        yield f"delay={delay!r}; it must be in seconds, more than 0 and less than an hour"
    if jitter is not None and delay is None:
        yield f"jitter={jitter!r}; it varies a delay: give delay=, too"
    elif jitter is not None and not 0 < jitter <= (delay or 0.0):
        yield f"jitter={jitter!r}; it must be in seconds, more than 0 and at most delay={delay!r}"
    if loss is not None and not 0 < loss <= 1:
        yield f"loss={loss!r}; it must be a share, more than 0 and at most 1"
    if rate is not None and not SLOWEST <= rate < float("inf"):
        yield f"rate={rate!r}; it must be in bits per second, {SLOWEST:g} or more"
    if seed is not None and loss is None and jitter is None:
        yield f"seed={seed!r}; it is for what is random: only loss= and jitter= are"
    if seed is not None and not (isinstance(seed, int) and 0 <= seed < SEEDS):
        yield f"seed={seed!r}; it must be a whole number from 0 to {SEEDS - 1}"


def _begin(lab: Lab, end: End, emulation: Emulation) -> None:
    try:
        _emulation(lab, end.host).begin(end.interface, emulation)
    except OSError as error:
        if error.errno in NETEM_IS_MISSING:
            raise KernelLacks(_without("netem", f"it was built without {NEEDED}")) from error
        if error.errno == errno.EEXIST:
            raise LabError(
                f"lab.link: the cable at {end.host}'s {end.interface} is a link already: "
                "delete() that one first"
            ) from error
        raise LabError(f"lab.link: {end.host}'s {end.interface}: {error}") from error
    _record(lab, end, str(emulation))


def _end(lab: Lab, end: End) -> None:
    _emulation(lab, end.host).end(end.interface)
    _record(lab, end, "none")


def _record(lab: Lab, end: End, value: str, before: str = "") -> None:
    """Put it into the evidence as a setting of the interface."""
    name = f"{end.interface} {NETEM}"
    lab.timeline.add(SysctlSet(time.time_ns(), end.host, name, value, before))


def _emulation(lab: Lab, host: str) -> EmulationRequests:
    return lab.line(host).agent.emulation


def _without(what: str, why: str) -> str:
    return (
        f"lab.link: this kernel has no {what} ({os.uname().release}): {why}.\n"
        "  Run it inside a virtual kernel, which has: --lab-virtual. Or ask for the fixture wire, "
        "whose\n  wire.delay(…) and wire.drop(…) need no netem."
    )
