"""Which host gave a connection other addresses on its way, in words."""

from __future__ import annotations

from collections.abc import Collection

from sockstates.record.rewriting import Rewriting
from sockstates.record.timeline import HostNames, Timeline
from sockstates.tcp.segment import Segment

MOST = 4
"""Connections of which it is said; there may be a hundred."""


def rewriting_lines(timeline: Timeline, shown: Collection[Segment]) -> list[str]:
    """A line for each rewritten connection of which a segment is shown."""
    every = timeline.rewritings.all
    if not every:
        return []
    ways = {(each.source, each.destination) for each in shown}
    told = [each for each in every if any(names[0] in ways for names in each.names)]
    lines = list(dict.fromkeys(_text(timeline.names, each) for each in told))
    more = [f"and {len(lines) - MOST} more connections"] if len(lines) > MOST else []
    return lines[:MOST] + more


def _text(names: HostNames, rewriting: Rewriting) -> str:
    """``router rewrote client.43210 > router.80 to client.43210 > server.8080, and …``."""
    (_, came, went), _ = rewriting.names
    before, after = (" > ".join(map(names.endpoint, way)) for way in (came, went))
    return f"{rewriting.host} rewrote {before} to {after}, and the answers back"
