"""Who a host is, and the line to its agent: what everything that a host can do rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sockstates.lab.words import HasWords
from sockstates.sandbox.network.topology import Family

if TYPE_CHECKING:
    from sockstates.lab.lab import Lab
    from sockstates.sandbox.client.line import Line
    from sockstates.sandbox.protocol import HostAgent

LOOPBACK_ADDRESS: Mapping[Family, str] = {"ipv4": "127.0.0.1", "ipv6": "::1"}


class AddressedHost(HasWords):
    """One host of a lab: its name, its addresses, its agent."""

    def __init__(self, lab: Lab, name: str, addresses: Mapping[Family, str], line: Line) -> None:
        self.lab = lab
        self.name = name
        self._by_family = addresses
        self._line = line

    def __repr__(self) -> str:
        return f"<host {self.name}>"

    @property
    def line(self) -> Line:
        """The line to its agent."""
        return self._line

    @property
    def address(self) -> str:
        """The host's address of the lab's family."""
        return self._by_family[self.lab.family]

    @property
    def addresses(self) -> frozenset[str]:
        """Every address of the host, loopback too."""
        return frozenset(self._by_family.values()) | frozenset(LOOPBACK_ADDRESS.values())

    def address_of(self, family: Family) -> str:
        """The host's address of this family."""
        return self._by_family[family]

    @property
    def pid(self) -> int:
        """The host's agent as this process numbers it: what nsenter(1) wants."""
        return self._line.pid

    @property
    def agent(self) -> HostAgent:
        """What does things on this host, and answers when they are done."""
        return self._line.agent

    def sample(self) -> None:
        """Have the host's sockets sampled once, now."""
        self.agent.sample()

    def settle(self) -> int:
        """Have everything recorded that has happened by now; samples taken so far."""
        return self._line.settle()
