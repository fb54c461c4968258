"""The tables of one host, ``filter`` and ``nat``, as one: which of them a command is for.

Kernel side, as `filter_table`, which has what a table does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import batch
from .chains import Count
from .expressions import expressions
from .families import NO_HOSTS
from .filter_table import FilterTable
from .rule import AnyCommand, Family, Network, NewDestination, Resolve, Rule
from .watching import HOOKS

_TRIAL = "sockstates-trial"
_SOMEWHERE = NewDestination(Network(4, bytes((127, 0, 0, 1)), b"\xff" * 4))


class Tables:
    """Both tables. A rule of ``nat`` is known by the negative of its identity there."""

    def __init__(self, open_socket: Callable[[], Any]) -> None:
        """Take what opens and binds an NFTSocket, once for each table that is used."""
        self.filter = FilterTable(open_socket)
        self._nat = FilterTable(open_socket, table="nat")

    def apply(self, command: AnyCommand, resolve: Resolve = NO_HOSTS) -> int | None:
        """See :meth:`FilterTable.apply`."""
        if command.table == "filter":
            return self.filter.apply(command, resolve)
        identity = self._nat.apply(command, resolve)
        return None if identity is None else -identity

    def counter(self, identity: int) -> Count:
        """See :meth:`FilterTable.counter`."""
        return self._of(identity).counter(abs(identity))

    def delete(self, identity: int) -> Count:
        """See :meth:`FilterTable.delete`."""
        return self._of(identity).delete(abs(identity))

    def suspend(self, identity: int) -> Count:
        """See :meth:`FilterTable.suspend`."""
        return self._of(identity).suspend(abs(identity))

    def resume(self, identity: int) -> None:
        """See :meth:`FilterTable.resume`."""
        self._of(identity).resume(abs(identity))

    def listing(self, family: Family | None = None) -> list[str]:
        """See :meth:`FilterTable.listing`; of ``nat`` where a rule is in it."""
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

    def _of(self, identity: int) -> FilterTable:
        return self.filter if identity > 0 else self._nat
