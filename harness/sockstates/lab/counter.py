"""A counter of a host's kernel as the scenario holds it: what it was, and how it grows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.evidence.waited import waited_text
from sockstates.lab.words import HasWords
from sockstates.record.events import CounterRead
from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.nearest import did_you_mean

if TYPE_CHECKING:
    from sockstates.lab.addressed_host import AddressedHost


class KernelCounter(HasWords):
    """A counter that nstat(8) names so, counted from when the scenario asked for it."""

    def __init__(self, host: AddressedHost, name: str) -> None:
        self.host = host
        self.name = name
        self.before = self._read()
        """What it was when the scenario asked for it."""
        self._latest = self.before

    def __str__(self) -> str:
        return f"{self.name} on {self.host.name}: {self.before} before, {self._latest} after"

    @property
    def value(self) -> int:
        """What it is now; read after everything that has happened by now is recorded."""
        self.host.lab.settle()
        self._latest = self._read()
        lab = self.host.lab
        lab.timeline.add(CounterRead(lab.now(), self.host.name, self.name, self._latest))
        return self._latest

    @property
    def grown(self) -> int:
        """How much it has grown since the scenario asked for it."""
        return self.value - self.before

    def grows(self, by: int | None = None, *, seconds: float | None = None) -> int:
        """Expect it to have grown by exactly so much, or at all, now or by a deadline; by how much.

        The deadline is that of a next segment, or `seconds` from now.
        """
        lab = self.host.lab
        wanted = 1 if by is None else by
        limit = lab.deadlines.next_segment() if seconds is None else seconds
        began = time.monotonic()
        lab.wait_until(lambda: self.grown >= wanted, f"{self.name} to grow by {wanted}", limit)
        grown = self.grown
        if grown < wanted or (by is not None and grown != by):
            raise ExpectationFailed(
                f"{self.name} on {self.host.name} did not grow as expected within "
                f"{waited_text(time.monotonic() - began)}\n\n"
                f"  expected  {'any growth' if by is None else f'growth by {by}'} "
                f"from {self.before}\n  seen      {self._latest}, growth by {grown}"
            )
        return grown

    def has_not_told_of_lateness(self, why: str, *, at_most: int = 0) -> None:
        """Inconclusive where it has grown by more than `at_most`: the machine was late, and `why`.

        For what follows only where a program is faster than a timer of the kernel's, when the
        counter tells of that timer: a machine that has other work to do shows the one or the other.
        """
        grown = self.grown
        if grown > at_most:
            raise Inconclusive(
                f"{self.name} on {self.host.name} grew by {grown}, more than {at_most}: {why}\n"
                "Run it again when the machine has less to do."
            )

    def _read(self) -> int:
        known = self.host.agent.counters()
        if self.name not in known:
            raise LabError(
                f"{self.host.name}: this kernel has no counter {self.name!r}. "
                + did_you_mean(self.name, known)
                + "`nstat -az` lists all of them."
            )
        return known[self.name]
