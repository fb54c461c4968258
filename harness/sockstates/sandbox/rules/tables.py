"""The tables of one host, ``filter`` and ``nat``, as one: which of them a command is for.

Kernel side, as `table`, which has what a table does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sockstates.sandbox.rules import transactions as batch
from sockstates.sandbox.rules.chains import Count
from sockstates.sandbox.rules.expressions import expressions
from sockstates.sandbox.rules.families import NO_HOSTS
from sockstates.sandbox.rules.rule import AnyCommand, Family, Network, NewDestination, Resolve, Rule
from sockstates.sandbox.rules.table import Table
from sockstates.sandbox.rules.watching import HOOKS

_TRIAL = "sockstates-trial"
_SOMEWHERE = NewDestination(Network(4, bytes((127, 0, 0, 1)), b"\xff" * 4))


class Tables:
    """Both tables, and which of them has which rule."""

    def __init__(self, open_socket: Callable[[], Any]) -> None:
        """Take what opens and binds an NFTSocket, once for each table that is used."""
        self.filter = Table(open_socket)
        self._nat = Table(open_socket, table="nat")
        self._rules: list[tuple[Table, int]] = []

    def apply(self, command: AnyCommand, resolve: Resolve = NO_HOSTS) -> int | None:
        """See :meth:`Table.apply`."""
        table = self._nat if command.table == "nat" else self.filter
        identity = table.apply(command, resolve)
        if identity is None:
            return None
        self._rules.append((table, identity))
        return len(self._rules)

    def counter(self, identity: int) -> Count:
        """See :meth:`Table.counter`."""
        table, known = self._find(identity)
        return table.counter(known)

    def delete(self, identity: int) -> Count:
        """See :meth:`Table.delete`."""
        table, known = self._find(identity)
        return table.delete(known)

    def suspend(self, identity: int) -> Count:
        """See :meth:`Table.suspend`."""
        table, known = self._find(identity)
        return table.suspend(known)

    def resume(self, identity: int) -> None:
        """See :meth:`Table.resume`."""
        table, known = self._find(identity)
        table.resume(known)

    def listing(self, family: Family | None = None) -> list[str]:
        """See :meth:`Table.listing`; of ``nat`` where a rule is in it."""
        nat = self._nat.listing(family)
        return self.filter.listing(family) + (nat if any("-A " in line for line in nat) else [])

    def knows_nat(self) -> bool:
        """Tell whether the kernel can rewrite: tried in a table that is gone in the same moment."""
        where = batch.Where(4, _TRIAL, "OUTPUT")
        tried = (
            Rule("OUTPUT", target="DNAT", to=_SOMEWHERE, table="nat"),
            Rule("OUTPUT", target="REDIRECT", table="nat"),
        )
        changes = [
            batch.new_table(4, _TRIAL),
            batch.new_chain(where, HOOKS["OUTPUT"], kind="nat"),
            *(batch.new_rule(where, expressions(rule, 4), None, None) for rule in tried),
            batch.delete_table(4, _TRIAL),
        ]
        try:
            self.filter.put_beside(changes, "a trial of the table nat")
        except OSError:
            return False
        return True

    def _find(self, identity: int) -> tuple[Table, int]:
        """The table that has this rule, and what the rule is called there."""
        return self._rules[identity - 1]
