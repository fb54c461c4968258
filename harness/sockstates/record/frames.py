"""A captured frame: what a capture on one interface of one host saw, and nothing read into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sockstates.tcp.links import ETHERNET


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One frame, as it was captured.

    time: nanoseconds since the epoch (CLOCK_REALTIME).
    interface: host and interface, for example "client:eth0".
    direction: seen from that host; over loopback each frame is captured once.
    data: the bytes captured, from the link's header on.
    length: how many bytes the frame had on the wire; more than data has when it was cut short.
    """

    time: int
    interface: str
    direction: Literal["in", "out"]
    data: bytes
    length: int
    link_type: int = ETHERNET
    """pcap's number for the link's header: Ethernet in all that a lab captures by itself."""
