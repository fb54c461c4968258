"""Connections whose addresses a host on their way rewrites: one connection under two names.

Pure. The kernel's connection tracking says both names of each (`FlowChanged`): how the segments of
the end that began it are called when they come, and how the answers are. Here every end is called
as its own host calls it, so that a segment has one name, wherever it was captured.

A connection is rewritten by one host. Of several that had the same addresses one after the other,
a segment belongs to the latest that was told of before it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Protocol

from sockstates.record.kernel_events import FlowChanged
from sockstates.tcp.segment import Address, Segment

Way = tuple[Address, Address]
"""From whom to whom."""


class Names(Protocol):
    """Whose address is whose."""

    def host(self, ip: str) -> str:
        """The name of the host with this address."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One connection that `host` rewrites, by both ends' names for both ends.

    `client` began it, and speaks to `asked`; `server` has it, and answers `caller`.
    """

    host: str
    since: int
    client: Address
    asked: Address
    server: Address
    caller: Address

    @property
    def names(self) -> tuple[tuple[Way, ...], tuple[Way, ...]]:
        """What segments are called, to the server and to the client; first by the ends' own names.

        Then as the client knows it, and as the server does.
        """
        return (
            ((self.client, self.server), (self.client, self.asked), (self.caller, self.server)),
            ((self.server, self.client), (self.asked, self.client), (self.server, self.caller)),
        )

    def names_of(self, way: Way) -> tuple[Way, ...]:
        """All that segments of this way, which is one of the connection's, are called."""
        forth, back = self.names
        return forth if way in forth else back


class Rewritings:
    """All that is known to be rewritten in one lab."""

    def __init__(self) -> None:
        self.all: list[Rewriting] = []
        self._by_way: dict[Way, list[Rewriting]] = defaultdict(list)

    def add(self, event: FlowChanged) -> bool:
        """Take in what connection tracking told; whether that is new."""
        asked, began = event.destination, (event.source, event.destination)
        if event.replier is None or event.replies_to is None:
            return False
        if (event.replies_to, event.replier) == began:
            return False
        ends = event.source, asked, event.replier, event.replies_to
        made = Rewriting(event.host, event.time, *ends)
        known = self._by_way.get(began, [])
        if known and replace(known[-1], since=made.since) == made:
            return False
        self.all.append(made)
        for way in {way for names in made.names for way in names}:
            self._by_way[way].append(made)
        return True

    def own(self, local: Address, remote: Address | None) -> tuple[Address, Address | None]:
        """Both ends of an endpoint, each as its own host calls it."""
        found = None if remote is None else self._find((local, remote))
        if found is None or remote is None:
            return local, remote
        return found.names_of((local, remote))[0]

    def at(self, host: str, way: Way, names: Names, moment: int | None = None) -> Way:
        """Both ends as the sockets of this host call them; unchanged where it has neither end."""
        found = self._find(way, moment)
        if found is None:
            return way
        _, by_client, by_server = found.names_of(way)
        if names.host(found.client.ip) == host:
            return by_client
        return by_server if names.host(found.server.ip) == host else way

    def renamed(self, segment: Segment) -> Segment:
        """The segment with each end as its own host calls it."""
        way = segment.source, segment.destination
        found = self._find(way, segment.time)
        return segment if found is None else _with(segment, found.names_of(way)[0])

    def renamed_at(self, host: str, segment: Segment, names: Names) -> Segment:
        """The segment with both ends as the sockets of this host call them."""
        way = segment.source, segment.destination
        return _with(segment, self.at(host, way, names, segment.time))

    def others(self, segment: Segment) -> tuple[Segment, ...]:
        """The segment under all other names that it has on its way."""
        way = segment.source, segment.destination
        found = self._find(way, segment.time)
        if found is None:
            return ()
        ways = dict.fromkeys(found.names_of(way))
        return tuple(_with(segment, each) for each in ways if each != way)

    def _find(self, way: Way, moment: int | None = None) -> Rewriting | None:
        known = self._by_way.get(way) if self._by_way else None
        if not known:
            return None
        if moment is None:
            return known[-1]
        return next((each for each in reversed(known) if each.since <= moment), known[0])


def _with(segment: Segment, way: Way) -> Segment:
    if way == (segment.source, segment.destination):
        return segment
    return replace(segment, source=way[0], destination=way[1])
