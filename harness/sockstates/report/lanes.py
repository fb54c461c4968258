"""Who has a lane in a ladder diagram, from left to right, and which end is whose.

A connection of a host with itself has two lanes: the side that opened it and the other one.
"""

from __future__ import annotations

from collections import Counter

from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address, Segment

Lane = tuple[str, str]
"""Host, and the side of a connection that has both ends there."""
OPENS, ANSWERS = "opens", "answers"


class LaneNames:
    """The lanes for some segments of a timeline."""

    def __init__(self, timeline: Timeline, segments: list[Segment]) -> None:
        self._names = timeline.names
        self._openers = _openers(timeline.wire)
        found: dict[Lane, set[int]] = {}
        pairs: set[frozenset[Address]] = set()
        for segment in segments:
            ends = segment.source, segment.destination
            pairs.add(frozenset(ends))
            for here, there in (ends, ends[::-1]):
                found.setdefault(self._lane(here, there), set()).add(here.port)
        if not found:  # nobody said anything: what happened on the hosts is worth telling
            hosts = {key[0] for key in timeline.witnessed()} - timeline.between
            found = {(host, ""): set() for host in hosts}
        self.order = sorted(found, key=self._place)
        """The lanes, from left to right."""
        self._ways = Counter(end for pair in pairs for end in pair)
        self.several = len(pairs) > 1
        """Whether there is more than one connection, so that arrows must name their ports."""
        self.heads = [self._head(lane, found[lane]) for lane in self.order]
        self.sides = [side and f"({side})" for _, side in self.order] if self.several else []
        """To stand below the heads; empty when nobody has two lanes."""

    def lane(self, here: Address, there: Address) -> int:
        """The position of the lane of this end of a connection."""
        return self.order.index(self._lane(here, there))

    def lane_of_end(self, host: str, local: Address, remote: Address | None) -> int | None:
        """The position of the lane for an endpoint; None when its host has none in the diagram.

        A socket that is not connected yet has no address of its own, and its host's lane all the
        same.
        """
        side = ANSWERS if remote is None else OPENS
        own = [] if remote is None else [self._lane(local, remote)]
        for lane in (*own, (host, ""), (host, side), ("localhost", side)):
            if lane in self.order:
                return self.order.index(lane)
        return None

    def is_alone(self, end: Address) -> bool:
        """Whether only one connection in the diagram has this end, so that its port tells which."""
        return self._ways[end] <= 1

    def lane_of_host(self, host: str) -> int | None:
        """The position of the one lane of a host; None without one, or with one for each side."""
        return self.order.index((host, "")) if (host, "") in self.order else None

    def _lane(self, here: Address, there: Address) -> Lane:
        host = self._names.host(here.ip)
        if host != self._names.host(there.ip):
            return host, ""
        return host, OPENS if (here, there) in self._openers else ANSWERS

    def _place(self, lane: Lane) -> tuple[int, str, bool]:
        """In the order in which the lab names its hosts; strangers behind them."""
        hosts = list(self._names.addresses)
        host, side = lane
        return hosts.index(host) if host in hosts else len(hosts), host, side == ANSWERS

    def _head(self, lane: Lane, ports: set[int]) -> str:
        host, _ = lane
        return f"{host}.{min(ports)}" if len(ports) == 1 and not self.several else host


def _openers(wire: list[Segment]) -> set[tuple[Address, Address]]:
    """For each connection the end that spoke first, and to whom."""
    known: set[frozenset[Address]] = set()
    openers: set[tuple[Address, Address]] = set()
    for segment in wire:
        ends = segment.source, segment.destination
        if frozenset(ends) not in known:
            known.add(frozenset(ends))
            openers.add(ends)
    return openers
