"""Tables of nf_tables that watch: they decide about no packet, and touch no rule of a scenario.

Pure: it builds messages, which ``Table.put_beside`` commits. The tables are of the family
``inet`` (both IP versions), which iptables neither knows nor lists, and go with the namespace.
"""

from __future__ import annotations

from typing import Any, Final

from sockstates.sandbox.rules import transactions as batch
from sockstates.sandbox.rules.expressions import compare, decide, expression, meta
from sockstates.sandbox.rules.rule import TCP

HOOKS: Final = {"PREROUTING": 0, "INPUT": 1, "FORWARD": 2, "OUTPUT": 3}
"""linux/netfilter.h: where the chains of iptables' tables hang."""
TRACE_TABLE: Final = "sockstates-trace"
TRACED_A_SECOND: Final = 1000
TRACED_AT_ONCE: Final = 2000
"""No more packets than these are traced in a chain: a flood costs the host no more than that."""

_CONNTRACK_TABLE: Final = "sockstates-conntrack"
_RAW_PRIORITY: Final = -300
"""Before every rule of iptables, even those of its table ``raw``."""
_REGISTER: Final = 1
_META_TRACE, _META_L4_PROTOCOL = 12, 16
_CONNTRACK_STATE: Final = 0
_PACKETS: Final = 0


def trace(chain: str) -> list[Any]:
    """Have the kernel tell what its filter does with TCP segments in this chain of iptables.

    The first rule marks packets for tracing (nft(8), ``meta nftrace set 1``) as long as they are
    not too many. The second counts those that came beyond that, and has one a second traced after
    all, so that it is noticed. The last message is the counting rule's.
    """
    where = batch.Where("inet", TRACE_TABLE, chain.lower())
    tcp = [meta(_META_L4_PROTOCOL), compare(bytes([TCP]))]
    few, one = _limit(TRACED_A_SECOND, TRACED_AT_ONCE), _limit(1, 1)
    yes = {"attrs": [("NFTA_DATA_VALUE", b"\1")]}
    mark = [
        expression("immediate", dreg=_REGISTER, data=yes),
        expression("meta", key=_META_TRACE, sreg=_REGISTER),
    ]
    nothing_counted = expression("counter", packets=0, bytes=0)
    return [
        batch.new_table("inet", TRACE_TABLE),
        batch.new_chain(where, HOOKS[chain], _RAW_PRIORITY),
        batch.new_rule(where, [*tcp, few, *mark, decide("ACCEPT")], None, None),
        batch.new_rule(where, [*tcp, nothing_counted, one, *mark], None, None),
    ]


def track_connections() -> list[Any]:
    """Have the kernel track connections in this namespace, which it does when a rule needs it.

    That it is there is enough: it stands in a chain that no packet passes.
    """
    where = batch.Where("inet", _CONNTRACK_TABLE, "needs")
    look = expression("ct", dreg=_REGISTER, key=_CONNTRACK_STATE)
    return [
        batch.new_table("inet", _CONNTRACK_TABLE),
        batch.new_chain(where, None),
        batch.new_rule(where, [look], None, None),
    ]


def counting_rule(chain: str, handle: int) -> Any:
    """Ask for the rule of :func:`trace` that counts, with its counter."""
    return batch.get_rule(batch.Where("inet", TRACE_TABLE, chain.lower()), handle)


def _limit(rate: int, burst: int) -> Any:
    return expression("limit", rate=rate, unit=1, burst=burst, type=_PACKETS, flags=0)
