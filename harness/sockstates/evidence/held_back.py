"""Which hosts hold back or lose what they send before any capture sees it."""

from __future__ import annotations

from sockstates.record.events import ADDRESS, NEIGHBOURS, NETEM, ROUTE, SysctlSet
from sockstates.record.timeline import Timeline


def holds_back(timeline: Timeline, host: str) -> bool:
    """Whether a host's frames may have waited, or been lost, in it: at any time of the scenario.

    Netem has them wait before a packet(7) socket sees them (dev_queue_xmit_nit() comes behind the
    queueing discipline, net/core/dev.c). So does a neighbour that was asked and has not answered
    (neigh_resolve_output() in net/core/neighbour.c), and without a route there is no way out. The
    kernel has sent then what no capture has, or has later.
    """
    return any(
        isinstance(event, SysctlSet) and event.host == host and _is_in_the_way(event.name)
        for event in timeline.events
    )


def _is_in_the_way(name: str) -> bool:
    return name.endswith(f" {NETEM}") or name.split(maxsplit=1)[0] in (ROUTE, ADDRESS, NEIGHBOURS)
