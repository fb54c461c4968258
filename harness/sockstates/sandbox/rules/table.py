"""A table of one host, ``filter`` or ``nat``: iptables' commands put in force with nf_tables.

Kernel side. Runs in the host's own process and network namespace, from a single thread; the socket
must be opened after the fork, because pyroute2's has an event loop inside. Changes nothing but the
tables ``ip`` and ``ip6`` of that name, which are the ones iptables-nft itself uses, and which go
with the namespace.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sockstates.sandbox.rules import transactions as batch
from sockstates.sandbox.rules.chains import Chains, Count, Half, Placed
from sockstates.sandbox.rules.errors import RuleNotAppliedError, RuleNotFoundError
from sockstates.sandbox.rules.expressions import comment_of, expressions
from sockstates.sandbox.rules.families import NO_HOSTS, concrete_rules
from sockstates.sandbox.rules.rule import (
    CHAINS,
    FAMILIES,
    AnyCommand,
    Append,
    DeleteNumber,
    DeleteRule,
    Family,
    Flush,
    Insert,
    Resolve,
    SetPolicy,
    TableName,
)
from sockstates.sandbox.rules.spelling import spell_rule
from sockstates.sandbox.rules.watching import HOOKS

_PRIORITIES: dict[TableName, int] = {"filter": 0, "nat": -100}
"""linux/netfilter_ipv4.h: NF_IP_PRI_FILTER, NF_IP_PRI_NAT_DST."""
_POLICIES = {"DROP": 0, "ACCEPT": 1}
_PROGRAMS: dict[Family, str] = {4: "iptables", 6: "ip6tables"}


class Origin(NamedTuple):
    """What decided about a packet: the line as it was typed, and its target's name."""

    line: str
    target: str


class Table:
    """A table of iptables without iptables; RuleNotAppliedError where the kernel refuses.

    A rule is in force in all its families when the method that put it there returns, and in none
    of them if it raises. What a rule has counted stays readable after the rule is gone.
    """

    def __init__(
        self,
        open_socket: Callable[[], Any],
        families: tuple[Family, ...] = FAMILIES,
        table: TableName = "filter",
    ) -> None:
        """Take what opens and binds the NFTSocket, at the first command, in this process.

        ``families``: those the host uses; a rule is put in force in no other.
        """
        self._open_socket = open_socket
        self._families = families
        self._transactions: batch.Transactions | None = None
        self._table = table
        self._chains = Chains(CHAINS[table])
        self._policies: dict[tuple[Family, str], str] = {}
        self._origins: dict[tuple[Family, str, int | None], Origin] = {}
        self._tables: set[Family] = set()

    def apply(self, command: AnyCommand, resolve: Resolve = NO_HOSTS) -> int | None:
        """Carry a command out; the identity of the new rule for ``-A`` and ``-I``, else None.

        ``resolve`` gives the addresses of the hosts that the command names. Raises
        UnknownHostError, RuleScopeError (no family is left), RuleNotFoundError (``-D``, ``-I``).
        """
        families = tuple(family for family in self._families if family in command.families)
        if isinstance(command, Append | Insert):
            return self._add(command, families, resolve)
        if isinstance(command, DeleteRule):
            self._delete_same(command, families, resolve)
        elif isinstance(command, DeleteNumber):
            halves = self._chains.numbered(command.chain, command.number, families)
            self._remove(halves, command.line)
        elif isinstance(command, Flush):
            self._flush(command, families)
        else:
            self._set_policy(command, families)
        return None

    def counter(self, identity: int) -> Count:
        """Read what the rule has matched so far, in all its families and times in force."""
        counts = self.counter_by_family(identity).values()
        return Count(sum(c.packets for c in counts), sum(c.bytes for c in counts))

    def counter_by_family(self, identity: int) -> dict[Family, Count]:
        """Read what the rule has matched so far, by IP version."""
        placed = self._chains.by_identity(identity)
        live = self._live_counts(placed.halves, placed.line)
        return {**placed.counted, **{family: count for (_, family), count in live.items()}}

    def delete(self, identity: int) -> Count:
        """Take the rule away for good; a rule already gone stays gone. Gives its last count.

        The count is exact: nothing can match between the count and the end of the rule.
        """
        placed = self._chains.by_identity(identity)
        self._remove(placed.halves, placed.line)
        self._chains.drop(placed)
        return self.counter(identity)

    def suspend(self, identity: int) -> Count:
        """Take the rule out of force, keeping its place and its count. Gives the exact count."""
        placed = self._chains.by_identity(identity)
        self._take_out(placed.halves, placed.line)
        return self.counter(identity)

    def resume(self, identity: int) -> None:
        """Put a suspended rule back in its place; it counts on from where it was.

        A ``statistic --mode nth`` and a ``limit`` in it begin anew, as for a new rule: the kernel
        does not tell how far they had come. RuleNotFoundError if the rule was deleted.
        """
        placed = self._chains.by_identity(identity)
        if not self._chains.holds(placed):
            raise RuleNotFoundError(f"{placed.line!r} was deleted: apply it again")
        if not placed.handles:
            self._put_in(placed)

    def listing(self, family: Family | None = None, counters: bool = False) -> list[str]:
        """Write out what is in force, as ``iptables -S`` does; ``counters``: as ``-v -S`` does.

        Without a family both are written, each line led by the program it is for, so that it can
        be typed as it stands.
        """
        if family is None:
            table = "" if self._table == "filter" else f" -t {self._table}"
            return [
                f"{_PROGRAMS[each]}{table} {line}"
                for each in self._families
                for line in self.listing(each, counters)
            ]
        lines = [
            f"-P {chain} {self._policies.get((family, chain), 'ACCEPT')}"
            for chain in CHAINS[self._table]
        ]
        live = self._chains.live(family)
        counts: dict[Half, Count] = {}
        if counters:
            counts = self._live_counts([(placed, family) for placed in live], "listing")
        return lines + [spell_rule(p.rules[family], counts.get((p, family))) for p in live]

    def origin(self, family: Family, chain: str, handle: int | None) -> Origin | None:
        """Find whose rule has, or had, this handle; without a handle: who had the chain drop last.

        That stays so under another policy: what was dropped may be read later. None for what others
        put there. The kernel gives no handle of a table twice.
        """
        return self._origins.get((family, chain, handle))

    def put_beside(self, changes: list[Any], what: str) -> list[list[Any]]:
        """Put other tables in force, beside this one; each change's echoes."""
        return self._commit(changes, what)

    def count_beside(self, requests: list[Any], what: str) -> list[Count]:
        """Read the counters of rules of such tables."""
        with self._kernel(what) as kernel:
            return [_count_in(answers[0]) for answers in kernel.ask(requests)]

    def close(self) -> None:
        """Close the socket. The rules stay in force as long as the namespace."""
        if self._transactions is not None:
            self._transactions.close()
            self._transactions = None

    def _add(self, command: Append | Insert, families: tuple[Family, ...], resolve: Resolve) -> int:
        rules = concrete_rules(command.rule, families, resolve, command.line)
        index = self._chains.end(command.rule.chain)
        if isinstance(command, Insert):
            index = self._chains.index_for(command, families)
        placed = self._chains.place(command.rule.chain, command.line, rules, index)
        try:
            self._put_in(placed)
        except BaseException:
            self._chains.drop(placed)
            raise
        return placed.identity

    def _delete_same(
        self, command: DeleteRule, families: tuple[Family, ...], resolve: Resolve
    ) -> None:
        found = self._chains.same(concrete_rules(command.rule, families, resolve, command.line))
        if not found:
            listed = "\n    ".join(self.listing())
            raise RuleNotFoundError(f"{command.line!r}: no such rule. In force:\n    {listed}")
        self._remove(found, command.line)

    def _put_in(self, placed: Placed) -> None:
        changes = self._missing_tables(placed.rules)
        first = len(changes)
        for family, rule in placed.rules.items():
            made = expressions(rule, family, placed.counted.get(family, Count()))
            before = self._chains.handle_after(placed, family)
            where = batch.Where(family, self._table, placed.chain)
            changes.append(batch.new_rule(where, made, before, comment_of(rule)))
        answers = self._commit(changes, placed.line)[first:]
        self._tables.update(placed.rules)
        for family, echoes in zip(placed.rules, answers, strict=True):
            handle = echoes[0].get_attr("NFTA_RULE_HANDLE")
            placed.handles[family] = handle
            target = placed.rules[family].target or ""
            self._origins[family, placed.chain, handle] = Origin(placed.line, target)

    def _missing_tables(self, families: Iterable[Family]) -> list[Any]:
        made = []
        for family in families:
            if family not in self._tables:
                made.append(batch.new_table(family, self._table))
                for chain in CHAINS[self._table]:
                    where = batch.Where(family, self._table, chain)
                    hook = HOOKS[chain], _PRIORITIES[self._table], self._table
                    made.append(batch.new_chain(where, *hook))
        return made

    def _remove(self, halves: list[Half], line: str) -> None:
        self._take_out(halves, line)
        for placed, family in halves:
            self._forget(placed, family)

    def _forget(self, placed: Placed, family: Family) -> None:
        placed.rules.pop(family, None)
        if not placed.rules:
            self._chains.drop(placed)

    def _take_out(self, halves: list[Half], line: str) -> None:
        changes = [batch.delete_rules(*self._address_of(half)) for half in halves]
        for (placed, family), echoes in zip(halves, self._commit(changes, line), strict=True):
            placed.counted[family] = _count_in(echoes[0])
            del placed.handles[family]

    def _flush(self, command: Flush, families: tuple[Family, ...]) -> None:
        """Empty whole chains, so that also what a real iptables put there is gone."""
        chains = CHAINS[self._table] if command.chain is None else (command.chain,)
        emptied = [(f, chain) for f in families for chain in chains if f in self._tables]
        changes = [batch.delete_rules(batch.Where(f, self._table, chain)) for f, chain in emptied]
        answers = self._commit(changes, command.line)
        for (family, chain), echoes in zip(emptied, answers, strict=True):
            last = {echo.get_attr("NFTA_RULE_HANDLE"): _count_in(echo) for echo in echoes}
            for placed in self._chains.all_of(chain):
                if family in placed.handles:
                    placed.counted[family] = last[placed.handles.pop(family)]
        for chain in chains:
            for placed in self._chains.all_of(chain):
                for family in families:
                    self._forget(placed, family)

    def _set_policy(self, command: SetPolicy, families: tuple[Family, ...]) -> None:
        changes = self._missing_tables(families)
        for family in families:
            where = batch.Where(family, self._table, command.chain)
            changes.append(batch.chain_policy(where, _POLICIES[command.policy]))
        self._commit(changes, command.line)
        self._tables.update(families)
        self._policies.update({(f, command.chain): command.policy for f in families})
        if command.policy == "DROP":
            origin = Origin(command.line, command.policy)
            self._origins.update({(f, command.chain, None): origin for f in families})

    def _live_counts(self, halves: list[Half], line: str) -> dict[Half, Count]:
        if not halves:
            return {}
        with self._kernel(line) as kernel:
            answers = kernel.ask([batch.get_rule(*self._address_of(half)) for half in halves])
        return {half: _count_in(got[0]) for half, got in zip(halves, answers, strict=True)}

    def _commit(self, changes: list[Any], line: str) -> list[list[Any]]:
        if not changes:
            return []
        with self._kernel(line) as kernel:
            return kernel.commit(changes)

    def _address_of(self, half: Half) -> tuple[batch.Where, int]:
        placed, family = half
        return batch.Where(family, self._table, placed.chain), placed.handles[family]

    @contextmanager
    def _kernel(self, line: str) -> Iterator[batch.Transactions]:
        if self._transactions is None:
            self._transactions = batch.Transactions(self._open_socket())
        try:
            yield self._transactions
        except batch.RefusedError as refused:
            raise RuleNotAppliedError.refused(line, refused.number, refused.detail) from refused


def _count_in(message: Any) -> Count:
    for expression in message.get_attr("NFTA_RULE_EXPRESSIONS") or ():
        if expression.get_attr("NFTA_EXPR_NAME") == "counter":
            data = expression.get_attr("NFTA_EXPR_DATA")
            return Count(data.get_attr("NFTA_COUNTER_PACKETS"), data.get_attr("NFTA_COUNTER_BYTES"))
    # Every rule of ours has a counter; one of somebody else's may not.
    return Count()
