"""How much data a segment carries: from the path's MTU to what a SYN announces and a segment holds.

Pure: bytes in, bytes out. RFC 9293, section 3.7.1: the maximum segment size announces how much
data is taken without options; a sender takes from it what its options need.
"""

from __future__ import annotations

TCP_HEADER = 20
IP_HEADERS = {"ipv4": 20, "ipv6": 40}
"""Without options or extension headers; RFC 791, RFC 8200."""
TIMESTAMPS = 12
"""The timestamps option, filled up to whole words; RFC 7323, appendix A."""
SMALLEST_MTU = {"ipv4": 68, "ipv6": 1280}
"""What every link must carry whole; RFC 791, RFC 8200 section 5."""


def announced_mss(mtu: int, family: str) -> int:
    """The MSS that a host with this MTU announces in its SYN (bytes)."""
    return mtu - IP_HEADERS[family] - TCP_HEADER


def most_data(mss: int) -> int:
    """The most data (bytes) in a segment to a peer that announced this MSS, with timestamps."""
    return mss - TIMESTAMPS
