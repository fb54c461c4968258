"""Tells the copies of a segment that one capture has from segments that were sent again.

A capture on several interfaces, on a router's two legs or of a mirrored port holds one packet
several times. A sender gives a packet that it sends again another IP identification (RFC 6864
allows 0 or any number where fragments are impossible, so 0 and a number that never changes tell
nothing). Where that does not tell, a packet that says the same within a moment at another place
(interface, link addresses, TTL) is a copy; at the same place nothing tells it from a repetition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sockstates.tcp.headers import Headers
from sockstates.tcp.links import COOKED_2

LONGEST: Final = 1_000_000_000
"""Nanoseconds within which a packet with the same identification is the same one."""
AT_ONE_PLACE: Final = 1_000_000
"""Nanoseconds within which it is at the same place too: a mirrored port copies at once. One that
comes later was doubled on the way, or sent again."""
MOMENT: Final = 100_000_000
"""Nanoseconds within which it is without one: half of the shortest time-out of Linux."""
_MOST: Final = 20_000
_ADDRESSES: Final = 14
"""Bytes of an Ethernet header."""
Place = tuple[int, bytes, int]
"""Interface (its index), the link's header, TTL."""


@dataclass(slots=True)
class _Packet:
    time: int
    identification: int
    places: list[Place]


@dataclass(slots=True)
class Copies:
    """Goes through frames in the order of their stamps; says of each whether it is a copy."""

    several: int = 0
    """Segments that were captured more than once."""
    most: int = 0
    """How often one was captured at most."""
    places: dict[Place, None] = field(default_factory=dict)
    """Where these were captured."""
    _recent: dict[object, list[_Packet]] = field(default_factory=dict)
    _latest: dict[bytes, tuple[int, object]] = field(default_factory=dict)
    """By direction: the identification of its last segment, and what that said."""
    _constant: set[bytes] = field(default_factory=set)
    """Directions whose identification does not change from one segment to the next."""

    def is_copy(
        self, frame: bytes, headers: Headers, time: int, interface: int, link_type: int
    ) -> bool:
        """Whether this frame is one more copy of a segment, which is remembered."""
        ends = headers.ends
        key = (*headers[:6], frame[headers.options : headers.payload])
        start = headers.options - (40 if len(ends) == 12 else 60)
        identification, hops = 0, -1
        if len(ends) == 12 and start >= 0 and frame[start] == 0x45:
            identification, hops = int.from_bytes(frame[start + 4 : start + 6], "big"), start + 8
        elif len(ends) != 12 and start >= 0 and frame[start] >> 4 == 6:
            hops = start + 7
        link = 20 if link_type == COOKED_2 else _ADDRESSES
        place = interface, frame[: max(min(link, start), 0)], frame[hops] if hops >= 0 else 0
        before = self._latest.get(ends)
        if before is not None and before[0] == identification and before[1] != key:
            self._constant.add(ends)
        self._latest[ends] = identification, key
        tells = identification != 0 and ends not in self._constant
        known = self._recent.get(key)
        for packet in known or ():
            if packet.identification != identification or time - packet.time > LONGEST:
                continue
            if place in packet.places:
                same = tells and time - packet.time <= AT_ONE_PLACE
            else:
                same = tells or time - packet.time <= MOMENT
            if same:
                self._count(packet, place)
                return True
        if known is None:
            self._forget(time)
            known = self._recent[key] = []
        known.append(_Packet(time, identification, [place]))
        return False

    def _count(self, packet: _Packet, place: Place) -> None:
        self.several += len(packet.places) == 1
        packet.places.append(place)
        self.most = max(self.most, len(packet.places))
        self.places.update(dict.fromkeys(packet.places))

    def _forget(self, time: int) -> None:
        if len(self._recent) >= _MOST:
            self._recent = {
                key: packets
                for key, packets in self._recent.items()
                if time - packets[-1].time <= LONGEST
            }
