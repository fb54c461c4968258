"""The kernel's counters of the present network namespace, by the names that nstat(8) gives them.

Lives in a host's agent; only reads. /proc/net/snmp has the counters of RFC 4022 and its like,
netstat Linux's own, snmp6 those of IPv6 (Documentation/networking/snmp_counter.rst). TCP counts
both families together.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

_IN_PAIRS = ("/proc/self/net/snmp", "/proc/self/net/netstat")
"""Files of two lines for each group: its counters' names, then their values."""
_ONE_BY_ONE = "/proc/self/net/snmp6"


def read_counters() -> dict[str, int]:
    """Every counter since the namespace was made: ``TcpInCsumErrors``, ``TcpExtTCPOFOQueue``."""
    found: dict[str, int] = {}
    for path in _IN_PAIRS:
        found |= in_pairs(Path(path).read_text())
    for line in Path(_ONE_BY_ONE).read_text().splitlines():
        name, value = line.split()
        found[name] = int(value)
    return found


def in_pairs(text: str) -> dict[str, int]:
    """The counters of a file of pairs of lines, each name led by its group's."""
    lines = [line.split() for line in text.splitlines()]
    return {
        names[0].removesuffix(":") + name: int(value)
        for names, values in list(pairwise(lines))[::2]
        for name, value in zip(names[1:], values[1:], strict=True)
    }
