"""Which hosts hold back or lose what they send before any capture sees it."""

from __future__ import annotations

from harness.evidence.events import NETEM, SysctlSet
from harness.evidence.timeline import Timeline


def holds_back(timeline: Timeline, host: str) -> bool:
    """Whether netem had a host's frames wait or lost some: at any time of the scenario.

    It does so before a packet(7) socket sees them (dev_queue_xmit_nit() comes behind the queueing
    discipline, net/core/dev.c). The kernel has sent then what no capture has, or has later.
    """
    return any(
        isinstance(event, SysctlSet) and event.host == host and event.name.endswith(f" {NETEM}")
        for event in timeline.events
    )
