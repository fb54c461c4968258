"""The values that options take: addresses, ports, flags, states, rates. Pure text in, data out.

Each reader raises BadValueError with what is wrong and what to type instead; the caller knows
where the word stood. Limits are those of iptables 1.8 (iptables(8), iptables-extensions(8)).
"""

import ipaddress
import re
import socket
from typing import Literal

from sockstates.sandbox.rules.families import REJECT_TYPES
from sockstates.sandbox.rules.rule import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Family,
    HostName,
    Network,
    NewDestination,
    Ports,
)
from sockstates.tcp.nearest import did_you_mean

PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPV6, "ipv6-icmp": ICMPV6, "all": 0}
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
FLAG_BITS = {"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20}
_FLAG_WORDS = {**FLAG_BITS, "ALL": 0x3F, "NONE": 0x00}
UNIT_SECONDS: dict[Literal["sec", "min", "hour", "day"], int] = {
    "day": 86400,
    "hour": 3600,
    "min": 60,
    "sec": 1,
}
_FULL_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
LIMIT_SCALE = 10_000
"""xt_limit counts in ten-thousandths of a second; nothing is faster than one packet in each."""
CERTAIN = 0x8000_0000
"""Probability 1 in the unit of xt_statistic."""


class BadValueError(Exception):
    """A value that cannot be read: what is wrong, and what to type instead."""

    def __init__(self, problem: str, instead: str) -> None:
        super().__init__(problem, instead)
        self.problem, self.instead = problem, instead


def number(text: str, low: int, high: int, what: str) -> int:
    """Read a plain decimal number in a range; no leading zero, which would mean octal."""
    if re.fullmatch(r"0|[1-9][0-9]{0,10}", text) and low <= int(text) <= high:
        return int(text)
    raise BadValueError(
        f"{text!r} is not {what}", f"Type {what}: a decimal number from {low} to {high}."
    )


def where(text: str) -> HostName | Network:
    """Read a host's name, an address, or an address with a prefix length or a mask."""
    if "," in text:
        raise BadValueError(f"{text!r} lists several addresses", "Write one rule for each address.")
    base, slash, mask = text.partition("/")
    if text == "0/0":
        base, mask = "0.0.0.0", "0"
    if not slash and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", base):
        return HostName(base)
    address = _address(base, text)
    family: Family = 4 if address.version == 4 else 6
    bits = _mask_bits(mask, family) if slash else address.max_prefixlen * "1"
    mask_bytes = int(bits, 2).to_bytes(len(address.packed), "big")
    kept = bytes(a & b for a, b in zip(address.packed, mask_bytes, strict=True))
    return Network(family, kept, mask_bytes)


def new_destination(text: str) -> NewDestination:
    """Read ``address``, ``address:port`` or ``:port``; IPv6 with a port as ``[address]:port``."""
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::([^:]*))?", text)
    inside, plain, after = found.groups() if found else (None, text, None)
    base = inside if inside is not None else plain
    if "/" in base or "-" in (after or "") or re.fullmatch(r"[0-9.]+-[0-9.]+", base):
        raise BadValueError(f"{text!r} is more than one address or port", _ONE_DESTINATION)
    port = None if after is None else number(after, 1, 65535, "a port")
    if not base and port is None:
        raise BadValueError("an empty destination", _ONE_DESTINATION)
    there = where(base) if base else None
    if inside is not None and not (isinstance(there, Network) and there.family == 6):
        raise BadValueError(f"{text!r}: only an address of IPv6 stands in []", _ONE_DESTINATION)
    return NewDestination(there, port)


_ONE_DESTINATION = "Type one: server:8080, server, :8080, 10.0.0.1:8080 or [fd00::1]:8080."


def to_ports(text: str) -> NewDestination:
    """Read the port that REDIRECT leads to."""
    return NewDestination(port=number(text, 1, 65535, "one port"))


def _address(base: str, text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        if "%" in base:
            raise ValueError
        return ipaddress.ip_address(base)
    except ValueError:
        raise BadValueError(
            f"{text!r} is neither a host nor an address",
            "Type a host's name (server), an address (10.0.0.1, fd00::1), or an address with a"
            " prefix length or mask (10.0.0.0/24, 10.0.0.0/255.255.255.0, fd00::/64).",
        ) from None


def _mask_bits(mask: str, family: Family) -> str:
    width = 32 if family == 4 else 128
    if re.fullmatch(r"[0-9]{1,3}", mask):
        length = number(mask, 0, width, f"a prefix length of IPv{family}")
        return "1" * length + "0" * (width - length)
    try:
        address = ipaddress.ip_address(mask)
    except ValueError:
        address = None
    if address is None or address.version != family or "%" in mask:
        raise BadValueError(
            f"{mask!r} is not a mask of IPv{family}", f"Type a prefix length from 0 to {width}."
        )
    return f"{int(address):0{width}b}"


def interface(text: str) -> str:
    """Read an interface's name; a trailing ``+`` stands for any ending."""
    size = len(text.encode("utf-8", "replace"))
    if 0 < size <= 15 and text.isprintable() and not re.search(r"[\s/]", text):
        return text
    raise BadValueError(
        f"{text!r} cannot be the name of an interface",
        "Type 1 to 15 characters without blanks and slashes, such as eth0, or eth+ for any ending.",
    )


def protocol(text: str) -> int:
    """Read a protocol, as its number; 0 stands for all."""
    if text.lower() in PROTOCOLS:
        return PROTOCOLS[text.lower()]
    if re.fullmatch(r"[0-9]+", text):
        return number(text, 0, 255, "a protocol number")
    raise BadValueError(
        f"protocol {text!r} is not supported by name",
        f"{did_you_mean(text, PROTOCOLS)}Supported: {', '.join(PROTOCOLS)}, "
        "or the number of any other protocol (0 to 255).",
    )


def ports(text: str, transport: str) -> tuple[int, int]:
    """Read ``port``, ``low:high``, ``low:`` or ``:high``; a port may be a service's name."""
    low, colon, high = text.partition(":")
    if not colon:
        only = _port(low, transport)
        return only, only
    first = _port(low, transport) if low else 0
    last = _port(high, transport) if high else 65535
    if first > last:
        raise BadValueError(f"the range {text} is the wrong way round", f"Type {last}:{first}.")
    return first, last


def _port(text: str, transport: str) -> int:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+_.-]*", text) and not text.isdigit():
        try:
            return socket.getservbyname(text, transport)
        except OSError:
            raise BadValueError(
                f"no {transport} service is called {text!r} on this machine",
                "Type the port's number: not every machine has the same /etc/services.",
            ) from None
    return number(text, 0, 65535, "a port")


def port_range(low: int, high: int, negated: bool) -> Ports | None:
    """Make the match for a range; None for every port, where iptables does not look either."""
    if (low, high) == (0, 65535) and not negated:
        return None
    return Ports(low, high, negated)


def flags(text: str) -> int:
    """Read a comma list of TCP flags, as bits of the header's byte 13 (RFC 9293, 3.1)."""
    bits = 0
    for name in text.split(","):
        if name.upper() not in _FLAG_WORDS:
            raise BadValueError(
                f"{name!r} is not a TCP flag",
                f"{did_you_mean(name, _FLAG_WORDS)}Type flags from {', '.join(_FLAG_WORDS)}, "
                "joined by commas without blanks.",
            )
        bits |= _FLAG_WORDS[name.upper()]
    return bits


def states(text: str) -> frozenset[str]:
    """Read a comma list of connection tracking states."""
    names = frozenset(name.upper() for name in text.split(","))
    for name in sorted(names.difference(STATES)):
        raise BadValueError(
            f"{name!r} is not a supported state",
            f"{did_you_mean(name, STATES)}Supported: {', '.join(STATES)}, "
            "joined by commas without blanks.",
        )
    return names


def probability(text: str) -> int:
    """Read a number from 0 to 1, in units of 2**-31, rounded as iptables rounds (half up)."""
    if re.fullmatch(r"([0-9]{1,9}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?", text):
        value = float(text)
        if value <= 1:
            return int(CERTAIN * value + 0.5)
    raise BadValueError(f"{text!r} is not a probability", "Type a number from 0 to 1, such as 0.3.")


def rate(text: str) -> tuple[int, Literal["sec", "min", "hour", "day"]]:
    """Read ``n[/second|/minute|/hour|/day]``, or abbreviated, reduced as iptables does it.

    iptables keeps the time between two packets and prints it in the coarsest unit that divides
    evenly enough (60/minute is 1/sec); the bucket in the kernel is filled from that.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,8})(?:/([A-Za-z]+))?", text)
    unit = (found.group(2) or "second").lower() if found else ""
    seconds = [many for name, many in _FULL_UNITS.items() if unit and name.startswith(unit)]
    if found is None or not seconds:
        raise BadValueError(
            f"{text!r} is not a rate",
            "Type a number from 1 and a unit: 5/second, 5/minute, 5/hour, 5/day (or s, m, h, d).",
        )
    period = LIMIT_SCALE * seconds[0] // int(found.group(1))
    if period == 0:
        raise BadValueError(f"the rate {text} is too fast", f"Type at most {LIMIT_SCALE}/second.")
    return _coarsest(period)


def _coarsest(period: int) -> tuple[int, Literal["sec", "min", "hour", "day"]]:
    scales = [(unit, seconds * LIMIT_SCALE) for unit, seconds in UNIT_SECONDS.items()]
    chosen, scale = scales[0]
    for unit, candidate in scales[1:]:
        if period > candidate or candidate // period < candidate % period:
            break
        chosen, scale = unit, candidate
    return scale // period, chosen


def lengths(text: str) -> tuple[int, int]:
    """Read ``length``, ``low:high``, ``low:`` or ``:high``, in bytes."""
    low, colon, high = text.partition(":")
    first = number(low or "0", 0, 65535, "a packet length") if low or colon else None
    last = number(high or "65535", 0, 65535, "a packet length") if colon else first
    if first is None or last is None:
        raise BadValueError("an empty packet length", "Type a length such as 1400 or 100:200.")
    if first > last:
        raise BadValueError(f"the range {text} is the wrong way round", f"Type {last}:{first}.")
    return first, last


def comment(text: str) -> str:
    """Read a comment, which must fit beside the rule in the kernel (254 bytes)."""
    if len(text.encode("utf-8", "surrogatepass")) > 254 or not text.isprintable():
        raise BadValueError("the comment does not fit", "Type at most 254 bytes of printable text.")
    return text


def reject_with(text: str) -> str:
    """Read the name of a reject type, of either family."""
    if text.lower() in REJECT_TYPES:
        return text.lower()
    raise BadValueError(
        f"{text!r} is not a reject type",
        f"{did_you_mean(text, REJECT_TYPES)}Type one of: {', '.join(sorted(REJECT_TYPES))}.",
    )
