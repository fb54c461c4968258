"""A TCP segment as it was on the wire, and arithmetic on sequence numbers.

A segment holds what the wire said and nothing that was worked out later: numbers are absolute,
the window is not scaled. The module never reads a frame; see `dissect`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sockstates.tcp.options import MODULUS, Option

FLAG_LETTERS: Final = "FSRP.UEWe"
"""tcpdump's letters in tcpdump's order: FIN SYN RST PSH ACK URG ECE CWR AE.

The position is the bit in the header (RFC 9293, section 3.1; AE: RFC 9768). tcpdump 4.99.3 prints
nothing for AE.
"""

NO_FLAGS: Final = "none"


class Address(NamedTuple):
    """An end of a connection: an IP address in its usual text form, and a port."""

    ip: str
    port: int


def add(sequence: int, amount: int) -> int:
    """`sequence` plus `amount` (which may be negative), modulo 2**32 (RFC 9293, section 3.4)."""
    return (sequence + amount) % MODULUS


def distance(start: int, end: int) -> int:
    """How far `end` lies after `start`: negative when before, within half the circle of 2**32."""
    ahead = (end - start) % MODULUS
    return ahead - MODULUS if ahead >= MODULUS // 2 else ahead


def flags_from_bits(bits: int) -> str:
    """The flag bits of a TCP header in tcpdump's letters and order; "none" without any."""
    return order_flags(letter for bit, letter in enumerate(FLAG_LETTERS) if bits >> bit & 1)


def order_flags(letters: Iterable[str]) -> str:
    """Flag letters, given in any order, in tcpdump's order; "none" without any."""
    return "".join(sorted(set(letters), key=FLAG_LETTERS.index)) or NO_FLAGS


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment.

    time: nanoseconds since the epoch at which it was captured.
    flags: tcpdump's letters in tcpdump's order ("S", "F.", "none").
    sequence, acknowledgement: absolute; `acknowledgement` is None when ACK is not set.
    window: as on the wire, not scaled.
    urgent: the urgent pointer, as on the wire even when URG is not set.
    payload: the bytes captured; `missing` is how many more the IP header promises.
    """

    time: int
    source: Address
    destination: Address
    flags: str
    sequence: int
    acknowledgement: int | None
    window: int
    urgent: int = 0
    options: tuple[Option, ...] = ()
    payload: bytes = b""
    missing: int = 0

    @property
    def length(self) -> int:
        """Octets of payload that were on the wire, captured or not."""
        return len(self.payload) + self.missing

    @property
    def end(self) -> int:
        """The sequence number after this segment; SYN and FIN count one each (RFC 9293, 3.4)."""
        return add(self.sequence, self.length + self.has("S") + self.has("F"))

    def has(self, letter: str) -> bool:
        """Whether the flag with this letter of tcpdump's is set."""
        return self.flags != NO_FLAGS and letter in self.flags

    def option(self, name: str) -> Option | None:
        """The first option with tcpdump's name `name` ("mss", "wscale", "TS"), if there is one."""
        return next((option for option in self.options if option.name == name), None)
