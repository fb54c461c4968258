"""Making the cables of a plan and setting up a host's end: pyroute2 through the gate.

Runs in the sandbox (cables) and in each host's agent (addresses). Offloads are off, because they
make captures show segments that never were on a wire; neighbours are static, because resolution is
traffic that no scenario asked for.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from typing import Any

from harness.lab import gate
from harness.lab.topology import PREFIX_IPV6, SWITCH, Interface

SIOCETHTOOL = 0x8946
ETHTOOL_OFF = {
    "receive checksum": 0x15,
    "transmit checksum": 0x17,
    "scatter gather": 0x19,
    "TCP segmentation": 0x1F,
    "generic segmentation": 0x24,
    "generic receive": 0x2C,
}
"""ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SGSO, SGRO of linux/ethtool.h."""

IFF_NOARP = 0x80
NUD_PERMANENT = 0x80
IFA_F_NODAD = 0x02


def make_cable(routing: Any, ends: tuple[Interface, Interface], processes: tuple[int, int]) -> None:
    """A veth pair with each end in the network namespace of one of the processes."""
    first, second = ends
    routing.link(
        "add",
        ifname=first.name,
        kind="veth",
        address=first.mac,
        mtu=first.mtu,
        net_ns_pid=processes[0],
        peer={
            "ifname": second.name,
            "address": second.mac,
            "mtu": second.mtu,
            "net_ns_pid": processes[1],
        },
    )


def set_up(host: str, interfaces: tuple[Interface, ...]) -> dict[int, str]:
    """Bring up loopback and the host's own ends of the cables; interface names by index."""
    indexes = {1: "lo"}
    with gate.routing_socket() as routing:
        routing.link("set", index=1, state="up")
        bridge = _make_bridge(routing) if host == SWITCH else None
        for interface in interfaces:
            index = socket.if_nametoindex(interface.name)
            indexes[index] = interface.name
            switch_offloads_off(interface.name)
            if bridge is not None:
                routing.link("set", index=index, master=bridge, state="up")
            else:
                _address(routing, index, interface)
    return indexes


def _make_bridge(routing: Any) -> int:
    routing.link("add", ifname=SWITCH, kind="bridge", br_stp_state=0, br_mcast_snooping=0)
    index = socket.if_nametoindex(SWITCH)
    routing.link("set", index=index, state="up")
    return index


def _address(routing: Any, index: int, interface: Interface) -> None:
    routing.link("set", index=index, flags=IFF_NOARP, mask=IFF_NOARP)
    routing.addr("add", index=index, address=interface.ipv4, prefixlen=interface.prefix_ipv4)
    routing.addr(
        "add", index=index, address=interface.ipv6, prefixlen=PREFIX_IPV6, flags=IFA_F_NODAD
    )
    routing.link("set", index=index, state="up")
    for address, mac in interface.neighbours:
        routing.neigh("add", ifindex=index, dst=address, lladdr=mac, state=NUD_PERMANENT)
    for gateway in (interface.gateway_ipv4, interface.gateway_ipv6):
        if gateway:
            family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
            routing.route("add", dst="default", gateway=gateway, oif=index, family=family)


def switch_offloads_off(name: str) -> None:
    """What is captured is then what a wire would carry: whole checksums, no giant segments."""
    with gate.interface_socket() as control:
        for feature, command in ETHTOOL_OFF.items():
            value = array.array("B", struct.pack("=II", command, 0))
            address, _ = value.buffer_info()
            request = struct.pack("16sP16x", name.encode(), address)
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError as error:
                raise OSError(error.errno, f"{name}: switching off {feature}: {error}") from error
