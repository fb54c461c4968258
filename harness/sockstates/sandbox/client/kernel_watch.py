"""The kernel's tracepoints as one witness of all labs of this process.

The sandbox opens them (`tracing`); this process reads whenever a lab takes in evidence.
Nothing runs meanwhile: while nobody asks, the kernel writes into its rings, and wakes us when one
is half full. Whose a record is says `attribution`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from operator import attrgetter

from sockstates.record.events import Event
from sockstates.record.kernel_events import WitnessJoined
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.sandbox.client.attribution import WITNESS, Attribution, Place
from sockstates.sandbox.network.topology import Plan
from sockstates.sandbox.witnesses.perf_events import Ring, WallClock
from sockstates.sandbox.witnesses.perf_records import (
    LARGEST_RECORD,
    Lost,
    Record,
    Sample,
    split_records,
)
from sockstates.sandbox.witnesses.tracepoints import SightingReader
from sockstates.sandbox.witnesses.tracing import Watched
from sockstates.tcp.states import State

GONE = (State.CLOSED, State.TIME_WAIT)
"""What a sample shows when the socket itself has ended."""


class KernelWatch:
    """Reads the rings, for all labs of this process."""

    def __init__(self, watched: Watched, descriptors: list[int]) -> None:
        self.missing = watched.missing
        """Why this witness is not there; empty when it is."""
        self._lacking = watched.tracepoints.missing
        self._rings = [Ring(each, watched.size) for each in descriptors]
        self._size = watched.size
        self._reader: SightingReader | None = None
        if self._rings:
            self._reader = watched.tracepoints.reader()
        self._attribution = Attribution()
        self._clock = WallClock()
        self._early: list[Record] = []
        """Read, but perhaps not the only ones of their moment."""

    def descriptors(self) -> list[int]:
        """Readable when a ring is half full: read then."""
        return [ring.descriptor for ring in self._rings]

    def join(
        self, plan: Plan, namespaces: Mapping[int, str], record: Callable[[Event], None]
    ) -> Place:
        """A lab is up: what the kernel says of it from now on is its own.

        `namespaces` are its hosts' network namespaces (inodes). Whether this witness is there, and
        what it lacks on this kernel, is recorded too.
        """
        self.read()
        ends = [end for host in plan.hosts for end in plan.interfaces(host)]
        addresses = {ip: end.host for end in ends for ip in (end.ipv4, end.ipv6) if ip}
        place = Place(addresses, namespaces, record)
        self._attribution.join(place)
        record(WitnessJoined(time.time_ns(), WITNESS, missing=self.missing))
        for what, why in self._lacking.items():
            record(WitnessJoined(time.time_ns(), what.value, missing=why))
        return place

    def leave(self, place: Place) -> None:
        """A lab is about to end, or has left already; what was said of it so far is recorded."""
        self.read()
        self._attribution.leave(place)

    def read(self) -> None:
        """Have recorded all that happened until now.

        A processor's ring is in order, but all of them are not read at once. What is younger than
        the beginning of this reading waits for the next one: an older record may turn up by then.
        """
        if not self._rings:
            return
        now = self._clock.look()
        records = self._early
        for ring in self._rings:
            data = ring.read()
            if not data:
                continue
            records += split_records(data)
            if self._size - len(data) < LARGEST_RECORD:
                records.append(Lost(now, 1))  # the kernel tells of a loss with the next record only
        if not records:
            return
        records.sort(key=attrgetter("time"))
        ready = next((at for at, each in enumerate(records) if each.time > now), len(records))
        self._early = records[ready:]
        for record in records[:ready]:
            self._take(record)

    def settle(self, place: Place, timeline: Timeline) -> None:
        """Have recorded all that happened until now, and whether something is missing."""
        self.read()

        def ended(key: EndpointKey) -> int:
            seen = timeline.latest(key)
            return seen.time if seen is not None and seen.state in GONE else 0

        self._attribution.compare(place, ended)

    def _take(self, record: Record) -> None:
        record = record._replace(time=self._clock.at(record.time))
        if isinstance(record, Lost):
            self._attribution.take_lost(record)
        elif not isinstance(record, Sample):
            self._attribution.take_placed(record)
        elif self._reader is not None and (sighting := self._reader.read(record)) is not None:
            self._attribution.take(sighting)

    def close(self) -> None:
        """Let go of the rings."""
        for ring in self._rings:
            ring.close()
        self._rings = []
