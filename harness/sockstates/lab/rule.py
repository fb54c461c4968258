"""A filter rule as the scenario holds it: its counter, and taking it away and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from platform import release
from typing import TYPE_CHECKING, NamedTuple

from sockstates.lab.words import HasWords
from sockstates.record.events import RuleChanged
from sockstates.sandbox.client.errors import LabError

if TYPE_CHECKING:
    from sockstates.lab.host import Host
    from sockstates.lab.lab import Lab


def lacking_nat(lab: Lab) -> str:
    """Why no addresses can be rewritten here, and the ways out; empty where they can."""
    if lab[lab.request.hosts[0]].agent.rules.knows_nat():
        return ""
    return (
        f"Linux {release()} cannot rewrite addresses: it lacks CONFIG_NFT_NAT and CONFIG_NFT_REDIR "
        "(`modprobe -a nft_chain_nat nft_nat nft_redir` on the machine, as root). --lab-virtual "
        "has them: `sockstates kernel build` builds anew what was built without"
    )


class Counter(NamedTuple):
    """What a rule has matched so far."""

    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Rule(HasWords):
    """A rule in force on a host. `line` is what the scenario wrote.

    A line that made no rule (``-F``, ``-P``, ``-D``) has no `number`: nothing can be done with it.
    """

    host: Host
    number: int | None
    line: str

    @property
    def counter(self) -> Counter:
        """What the kernel counted at this rule, over both address families."""
        return Counter(*self.host.agent.rules.counter(self._made("counted")))

    @property
    def packets(self) -> int:
        """How many packets matched so far."""
        return self.counter.packets

    def record_counter(self) -> None:
        """Put the counter into the evidence, dated when it was not less: just before it was read.

        Of what passed by then, nothing is missing in it.
        """
        began = time.time_ns()
        counter = self.counter
        event = RuleChanged(began, self.host.name, self.line, "counted", *counter)
        self.host.lab.timeline.add(event)

    def delete(self) -> None:
        """Take the rule away (``iptables -D``)."""
        self._change(self.host.agent.rules.delete, "deleted")
        if self in self.host.lab.rules:
            self.host.lab.rules.remove(self)

    def suspend(self) -> None:
        """Let the rule rest: it matches nothing until :meth:`resume`."""
        self._change(self.host.agent.rules.suspend, "suspended")

    def resume(self) -> None:
        """Put a resting rule back in its old place."""
        self._change(self.host.agent.rules.resume, "resumed")

    def _change(self, request: Callable[[int], object], change: str) -> None:
        request(self._made(change))
        self.host.record_rule(self.line, change, *self.counter)

    def _made(self, change: str) -> int:
        """Its number; errors: LabError where the line made no rule."""
        if self.number is None:
            raise LabError(
                f"{self.host.name}: {self.line!r} made no rule: there is nothing to be {change}"
            )
        return self.number
