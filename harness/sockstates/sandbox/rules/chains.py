"""The order of a host's rules, in force and suspended, and what numbers and specifications mean.

Pure: it knows the kernel's handles and counts only as numbers it was told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sockstates.sandbox.rules.errors import RuleNotFoundError
from sockstates.sandbox.rules.rule import Family, Insert, Rule


class Count(NamedTuple):
    """What a rule matched: packets, and the bytes of their IP packets."""

    packets: int = 0
    bytes: int = 0


@dataclass(slots=True, eq=False)
class Placed:
    """A rule of the host: in force in the families it has a handle for, else suspended or gone.

    ``counted`` holds what a family counted up to the last time it was taken out of force.
    """

    identity: int
    chain: str
    line: str
    rules: dict[Family, Rule]
    handles: dict[Family, int] = field(default_factory=dict)
    counted: dict[Family, Count] = field(default_factory=dict)

    @property
    def halves(self) -> "list[Half]":
        """The rule in each family it is in force in."""
        return [(self, family) for family in self.handles]


Half = tuple[Placed, Family]
"""A rule in one of its families: what the kernel knows as a rule."""


class Chains:
    """The chains of one host, each a list of rules in the order in which packets meet them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._known: dict[int, Placed] = {}
        self._chains: dict[str, list[Placed]] = {chain: [] for chain in names}

    def place(self, chain: str, line: str, rules: dict[Family, Rule], index: int) -> Placed:
        """Give a new rule its identity and its place."""
        placed = Placed(len(self._known) + 1, chain, line, rules)
        self._known[placed.identity] = placed
        self._chains[chain].insert(index, placed)
        return placed

    def by_identity(self, identity: int) -> Placed:
        """Find a rule, also one that is gone; RuleNotFoundError if there never was one."""
        if identity not in self._known:
            raise RuleNotFoundError(f"no rule of this host has the identity {identity}")
        return self._known[identity]

    def holds(self, placed: Placed) -> bool:
        """Tell whether the rule still has a place (and so can be in force again)."""
        return placed in self._chains[placed.chain]

    def drop(self, placed: Placed) -> None:
        """Take a rule's place away, if it still has one."""
        if self.holds(placed):
            self._chains[placed.chain].remove(placed)

    def all_of(self, chain: str) -> list[Placed]:
        """List a chain's rules, the suspended ones too."""
        return list(self._chains[chain])

    def live(self, family: Family) -> list[Placed]:
        """List all rules in force in a family, chain by chain."""
        return [p for chain in self._chains.values() for p in chain if family in p.handles]

    def end(self, chain: str) -> int:
        """Give the index after the chain's last rule."""
        return len(self._chains[chain])

    def handle_after(self, placed: Placed, family: Family) -> int | None:
        """Find the handle of the next rule in force after this one; None at the end."""
        chain = self._chains[placed.chain]
        for later in chain[chain.index(placed) + 1 :]:
            if family in later.handles:
                return later.handles[family]
        return None

    def index_for(self, command: Insert, families: tuple[Family, ...]) -> int:
        """Turn the number of an ``-I`` into an index; RuleNotFoundError beyond the end."""
        chain = command.rule.chain
        shown = self._shown(chain, families)
        if command.number > len(shown) + 1:
            raise RuleNotFoundError(
                f"{command.line!r}: {chain} has {len(shown)} rules in force, so the number can be"
                f" at most {len(shown) + 1}"
            )
        if command.number == len(shown) + 1:
            return self.end(chain)
        return self._chains[chain].index(shown[command.number - 1])

    def numbered(self, chain: str, number: int, families: tuple[Family, ...]) -> list[Half]:
        """Find what ``-D CHAIN number`` means; RuleNotFoundError beyond the end."""
        shown = self._shown(chain, families)
        if number > len(shown):
            raise RuleNotFoundError(
                f"{chain} has {len(shown)} rules in force, so there is no number {number}"
            )
        return [half for half in shown[number - 1].halves if half[1] in families]

    def same(self, rules: dict[Family, Rule]) -> list[Half]:
        """Find the first rule in force, in each family, that says the same."""
        found: list[Half] = []
        for family, rule in rules.items():
            alike = (p for p in self.live(family) if p.rules[family] == rule)
            found.extend((placed, family) for placed in list(alike)[:1])
        return found

    def _shown(self, chain: str, families: tuple[Family, ...]) -> list[Placed]:
        """List what numbers count: rules in force in any of the families."""
        return [p for p in self._chains[chain] if any(f in p.handles for f in families)]
