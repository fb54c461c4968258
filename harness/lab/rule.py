"""A filter rule as the scenario holds it: its counter, and taking it away and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness.lab.host import Host


class Counter(NamedTuple):
    """What a rule has matched so far."""

    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in force on a host. `line` is what the scenario wrote."""

    host: Host
    number: int
    line: str

    @property
    def counter(self) -> Counter:
        """What the kernel counted at this rule, over both address families."""
        packets, octets = self.host.ask("rule", what="counter", arguments=(self.number,))
        return Counter(packets, octets)

    @property
    def packets(self) -> int:
        """How many packets matched so far."""
        return self.counter.packets

    def delete(self) -> None:
        """Take the rule away (``iptables -D``)."""
        self._change("delete", "deleted")

    def suspend(self) -> None:
        """Let the rule rest: it matches nothing until :meth:`resume`."""
        self._change("suspend", "suspended")

    def resume(self) -> None:
        """Put a resting rule back in its old place."""
        self._change("resume", "resumed")

    def _change(self, what: str, change: str) -> None:
        self.host.ask("rule", what=what, arguments=(self.number,))
        self.host.record_rule(self.line, change, *self.counter)
