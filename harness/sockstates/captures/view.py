"""Whose eyes a capture file has: one capture point's, or those of several hosts of a lab.

In a capture of several hosts, which a lab wrote with interfaces named ``host:interface``, a segment
lies several times: where it was sent, where it was passed on, where it arrived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Literal

from sockstates.captures.copies import Copies
from sockstates.captures.file import CaptureFile
from sockstates.captures.pcapng_reader import Record
from sockstates.captures.pcapng_writer import Section
from sockstates.record.frames import CapturedFrame
from sockstates.record.kernel_events import FlowChanged
from sockstates.record.timeline import LOOPBACK, HostNames, Timeline
from sockstates.tcp.connection import Connection
from sockstates.tcp.dissect import Malformed
from sockstates.tcp.headers import ACK, LINK_LAYERS, SYN, Headers, addresses, read_headers, turned
from sockstates.tcp.segment import Address

ECN_BITS = 0x1C0
"""ECE, CWR and AE, which a router may set and clear."""
WHOLE = "capture"
"""Instead of a host's name, where one capture point is all there is."""


def captured_hosts(capture: CaptureFile) -> list[str]:
    """The hosts of a lab that the file's interfaces name; empty for any other capture.

    Only a file that says that a lab wrote it: elsewhere a colon is a part of an interface's name.
    """
    if capture.found.application != Section().application:
        return []
    names = [each.name for each in capture.found.interfaces]
    if not all(":" in name for name in names):
        return []
    return list(dict.fromkeys(name.partition(":")[0] for name in names))


def without_copies(
    records: Iterable[Record], capture: CaptureFile, copies: Copies
) -> Iterator[Record]:
    """The frames, each segment once, where it was captured first; all if there are no copies."""
    if not capture.has_copies:
        yield from records
        return
    for record in records:
        time, interface, data, _, _ = record
        link_type = capture.found.interfaces[interface].link_type
        headers = _headers(data, link_type)
        if headers is None or not copies.is_copy(data, headers, time, interface, link_type):
            yield record


def senders_view(capture: CaptureFile, copies: Copies | None = None) -> Iterator[Record]:
    """The frames that follow on each other: of several hosts those that a sender sent, else all.

    What a host sends in another's name it only passes on, if it has come to it, and has made
    itself, if not: a router's RST. copies: what is to count the copies that are left out.
    """
    records = capture.records()
    first = next(records, None)
    if first is None:
        return
    if len(captured_hosts(capture)) < 2:
        together = chain((first,), records)
        yield from without_copies(together, capture, Copies() if copies is None else copies)
        return
    yield from _sent(chain((first,), records), capture)


def _sent(records: Iterator[Record], capture: CaptureFile) -> Iterator[Record]:
    """Each frame of its sender, under the addresses by which who began the connection knows it."""
    passing = _Passing()
    for record in records:
        time, interface, data, length, direction = record
        link = capture.found.interfaces[interface]
        host = link.name.partition(":")[0]
        headers = _headers(data, link.link_type)
        arrives = direction == "in" and not link.name.endswith(LOOPBACK)
        if headers is not None:
            passed = passing.take(host, data, headers, arrives=arrives)
            renamed = passing.known_as(headers.ends)
            if passed:
                continue
            data = data if renamed == headers.ends else data.replace(headers.ends, renamed, 1)
        if not arrives:
            yield time, interface, data, length, direction


class _Passing:
    """Tells what a host passes on from what it sends, and learns what it makes of addresses.

    What leaves a host from an address that is not its own, and says what has come to it, it passes
    on. If a SYN leaves under other addresses, then the whole connection does.
    """

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        """Those that passed something on."""
        self.homes: dict[str, str] = {}
        """By IP address: the host that was the first to send from it."""
        self.learnt: list[FlowChanged] = []
        """The connections that are rewritten, as connection tracking would tell of them."""
        self._came: dict[str, dict[int, bytes]] = defaultdict(dict)
        self._known_as: dict[bytes, bytes] = {}

    def known_as(self, ends: bytes) -> bytes:
        """Both ends as the one that began the connection knows them."""
        return self._known_as.get(ends, ends)

    def take(
        self, host: str, data: bytes, headers: Headers, *, arrives: bool, time: int = 0
    ) -> bool:
        """Look at the next frame of a host; whether it was only passed on."""
        said, ends = _said(data, headers), headers.ends
        if arrives:
            self._came[host][said] = ends
            return False
        source, destination = addresses(ends)
        before = self._came[host].get(said)
        if before is None or self.homes.get(source.ip) == host:
            self.homes.setdefault(source.ip, host)
            return False
        self.hosts.add(host)
        if before != ends and headers.bits & SYN and not headers.bits & ACK:
            asked = self.known_as(before)
            self._known_as |= {ends: asked, turned(ends): turned(asked)}
            began = addresses(before)
            self.learnt.append(
                FlowChanged(time, host, *began, "new", replier=destination, replies_to=source)
            )
        return True


def _said(data: bytes, headers: Headers) -> int:
    """What a segment says, without what a host on the way may rewrite; small enough to be kept."""
    numbers = headers.sequence, headers.acknowledgement, headers.bits & ~ECN_BITS, headers.window
    return hash((*numbers, data[headers.payload : headers.end]))


def _headers(data: bytes, link_type: int) -> Headers | None:
    if link_type in LINK_LAYERS:
        with suppress(Malformed):
            return read_headers(data, link_type)
    return None


class _Membership:
    """Says of each segment, in the order in which they were followed, which connection it is of.

    Connections between the same addresses and ports follow on each other: the first has as many
    segments as were counted, the next one has those after it. In a capture of several hosts, where
    a segment lies several times, each has what lies before the next one's first segment: its last
    one arrives after it was sent.
    """

    def __init__(self, every: Sequence[Connection], *, several: bool) -> None:
        self._several = several
        self._of: dict[frozenset[object], list[Connection]] = defaultdict(list)
        for each in every:
            self._of[frozenset((each.source, each.destination))].append(each)
        self._left = {each.number: each.segments for each in every}

    def of(self, ends: tuple[Address, Address], time: int) -> list[int]:
        """The numbers of the connections that a segment of these ends may be of."""
        own = self._of.get(frozenset(ends), [])
        if self._several:
            return [each.number for each in own if each.began <= time][-1:]
        for each in own:
            if self._left[each.number]:
                self._left[each.number] -= 1
                return [each.number]
        return []


def capture_timeline(
    capture: CaptureFile, every: Sequence[Connection], chosen: Sequence[Connection], most: int
) -> Timeline:
    """The frames of the chosen connections as a timeline, as many of each capture point as `most`.

    every: all the connections that following the capture found. Raises OSError.
    """
    wanted = {each.number for each in chosen}
    timeline = Timeline(title=capture.path.name)
    passing = _Passing()
    several = False
    once = without_copies(capture.records(), capture, Copies())
    for number, (time, interface, data, length, direction) in enumerate(once):
        link = capture.found.interfaces[interface]
        if number == 0:
            several = len(captured_hosts(capture)) > 1
            membership = _Membership(every, several=several)
        headers = _headers(data, link.link_type)
        if headers is None:
            continue
        host = link.name.partition(":")[0] if several else WHOLE
        sent = direction != "in" or not several
        if several:
            arrives = not sent and not link.name.endswith(LOOPBACK)
            passing.take(host, data, headers, arrives=arrives, time=time)
        ends = addresses(passing.known_as(headers.ends))
        if wanted.isdisjoint(membership.of(ends, time)):
            continue
        if len(timeline.frames[host]) < most:
            name = link.name if several else f"{WHOLE}{LOOPBACK}"
            way: Literal["in", "out"] = "out" if sent else "in"
            frame = CapturedFrame(time, name, way, data, length, link.link_type)
            timeline.add_frames(host, [frame])
    for flow in passing.learnt:
        timeline.add(flow)
    return _with_names(timeline, passing)


def _with_names(timeline: Timeline, passing: _Passing) -> Timeline:
    """Hosts in the order of the file; who has no address of its own is between them."""
    own: dict[str, tuple[str, ...]] = {}
    for ip, host in passing.homes.items():
        own[host] = (*own.get(host, ()), ip)
    timeline.names = HostNames(own)
    if own:
        timeline.between = frozenset(timeline.frames) - own.keys() | passing.hosts
    return timeline
