"""Names what a frame without a readable TCP header may carry one in: tunnels, labels, fragments.

What they carry is not read; that there are such frames is said, so that nothing is denied that may
be there. Numbers are IANA's and the IEEE's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sockstates.tcp.dissect import Malformed
from sockstates.tcp.headers import LINK_LAYERS
from sockstates.tcp.links import IPV4_TYPE, IPV6_TYPE

TYPES: Final = {0x8847: "MPLS", 0x8848: "MPLS", 0x8863: "PPPoE", 0x8864: "PPPoE", 0x88E5: "MACsec"}
PROTOCOLS: Final = {
    4: "IP in IP",
    41: "IPv6 in IP",
    47: "GRE",
    50: "ESP",
    137: "MPLS in IP",
}
PORTS: Final = {
    4789: "VXLAN",
    8472: "VXLAN",
    6081: "GENEVE",
    4754: "GRE in UDP",
    4500: "ESP in UDP",
}
_UDP: Final = 17


def carrier(frame: bytes, link_type: int) -> str:
    """What the frame may carry TCP in; empty where it carries none for all that can be seen."""
    with suppress(Malformed):
        kind, start = LINK_LAYERS[link_type](frame)
        if kind == IPV4_TYPE and len(frame) >= start + 20:
            if int.from_bytes(frame[start + 6 : start + 8], "big") & 0x1FFF:
                return "later fragments of IP packets"
            return _inside(frame, frame[start + 9], start + (frame[start] & 15) * 4)
        if kind == IPV6_TYPE and len(frame) >= start + 40:
            return _inside(frame, frame[start + 6], start + 40)
        return TYPES.get(kind, "")
    return ""


def _inside(frame: bytes, protocol: int, start: int) -> str:
    if protocol == _UDP and len(frame) >= start + 4:
        return PORTS.get(int.from_bytes(frame[start + 2 : start + 4], "big"), "")
    return PROTOCOLS.get(protocol, "")
