"""Making the cables of a plan and setting up each host's ends of them.

pyroute2 encodes the netlink messages, once for all labs of the same shape: encoding costs ten times
what the kernel needs to obey. For each lab its own numbers are put in, and the messages are sent
through the gate. Offloads are off, because they make captures show segments that never were on a
wire; interfaces resolve no addresses, because resolution is traffic that no scenario asked for.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import select
import socket
import struct
import time
from ctypes import addressof, create_string_buffer
from dataclasses import dataclass
from typing import Any

from sockstates.sandbox.network import gate
from sockstates.sandbox.network.topology import (
    PREFIX_IPV6,
    SWITCH,
    WIRE,
    Interface,
    Plan,
    number_in_addresses,
    plan,
)
from sockstates.system import has_ipv6

SIOCGIFMTU, SIOCSIFMTU, SIOCETHTOOL = 0x8921, 0x8922, 0x8946
MTU_REQUEST = "16si20x"
"""A struct ifreq with ifr_mtu."""
ETHTOOL_GLINK = 0x0A
CARRIER_LIMIT = 20.0
"""Seconds in which the agent at the other end of a cable brings it up."""
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
LOCAL_TABLE = 255
"""RT_TABLE_LOCAL of linux/rtnetlink.h."""
LOOPBACK, FIRST = 1, 2
"""Indexes in a new namespace: loopback, then the cables' ends in the order of the plan."""
BRIDGE = 1000

STAND_IN = 0xA55A
"""The lab number in prepared messages."""
STAND_IN_PROCESS = 0x5A5A0000
"""Where the prepared messages of a cable name the processes of its ends: this, and one more."""


@dataclass(frozen=True, slots=True)
class PreparedLab:
    """The messages for every lab of one shape, with stand-ins for number and processes."""

    cables: tuple[bytes, ...]
    hosts: dict[str, bytes]

    def cable(self, position: int, processes: tuple[int, int]) -> bytes:
        """The messages that lay a cable between the network namespaces of two processes."""
        messages = self.cables[position]
        for side, process in enumerate(processes):
            stand_in = struct.pack("=I", STAND_IN_PROCESS + side)
            messages = messages.replace(stand_in, struct.pack("=I", process))
        return messages

    def host(self, name: str, number: int) -> bytes:
        """The messages that set up a host of lab `number`."""
        messages = self.hosts[name]
        wanted = number_in_addresses(number)
        for stand_in, real in zip(number_in_addresses(STAND_IN), wanted, strict=True):
            messages = messages.replace(stand_in, real)
        return messages


@functools.cache
def prepare(hosts: tuple[str, ...], *, router: bool = False, wire: bool = False) -> PreparedLab:
    """Have pyroute2 encode the messages for labs with these hosts."""
    shape = plan(hosts, router=router, wire=wire, number=STAND_IN)
    return PreparedLab(
        tuple(_encoded(_lay_cable, ends) for ends in shape.cables),
        {name: _encoded(_set_up, name, shape) for name in shape.hosts},
    )


def _encoded(write: Any, *arguments: Any) -> bytes:
    encoder = gate.message_encoder()
    encoder.reset()
    write(encoder, *arguments)
    messages = bytes(encoder.batch)
    encoder.close()
    return messages


def _lay_cable(encoder: Any, ends: tuple[Interface, Interface]) -> None:
    first, second = ends
    encoder.link(
        "add",
        ifname=first.name,
        kind="veth",
        address=first.mac,
        mtu=first.mtu,
        net_ns_pid=STAND_IN_PROCESS,
        peer={
            "ifname": second.name,
            "address": second.mac,
            "mtu": second.mtu,
            "net_ns_pid": STAND_IN_PROCESS + 1,
        },
    )


def _set_up(encoder: Any, host: str, shape: Plan) -> None:
    encoder.link("set", index=LOOPBACK, state="up")
    if host == SWITCH:
        encoder.link(
            "add", index=BRIDGE, ifname=SWITCH, kind="bridge", br_stp_state=0, br_mcast_snooping=0
        )
        encoder.link("set", index=BRIDGE, state="up")
    for index, interface in enumerate(shape.interfaces(host), start=FIRST):
        if host == SWITCH:
            encoder.link("set", index=index, master=BRIDGE, state="up")
        elif host == WIRE:
            encoder.link("set", index=index, flags=IFF_NOARP, mask=IFF_NOARP)
            encoder.link("set", index=index, state="up")
        else:
            _address(encoder, index, interface)


def _address(encoder: Any, index: int, interface: Interface) -> None:
    encoder.link("set", index=index, flags=IFF_NOARP, mask=IFF_NOARP)
    encoder.addr("add", index=index, address=interface.ipv4, prefixlen=interface.prefix_ipv4)
    with_ipv6 = has_ipv6()
    if with_ipv6:
        encoder.addr(
            "add", index=index, address=interface.ipv6, prefixlen=PREFIX_IPV6, flags=IFA_F_NODAD
        )
    encoder.link("set", index=index, state="up")
    if with_ipv6:
        _accept_ipv6(encoder, index, interface)
    for address, mac in interface.neighbours:
        if with_ipv6 or ":" not in address:
            encoder.neigh("add", ifindex=index, dst=address, lladdr=mac, state=NUD_PERMANENT)
    for gateway in (interface.gateway_ipv4, interface.gateway_ipv6):
        if gateway and (with_ipv6 or ":" not in gateway):
            family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
            encoder.route("add", dst="default", gateway=gateway, oif=index, family=family)


def _accept_ipv6(encoder: Any, index: int, interface: Interface) -> None:
    """Let segments for the IPv6 address be taken in from now on.

    Even without duplicate address detection the kernel adds an address' local route later, in a
    work queue (addrconf_dad_start in net/ipv6/addrconf.c). A SYN that comes before is thrown away
    as somebody else's, and counted in Ip6InAddrErrors. This route is there when it is answered.
    """
    encoder.route(
        "add",
        dst=f"{interface.ipv6}/128",
        type="local",
        table=LOCAL_TABLE,
        oif=index,
        family=socket.AF_INET6,
    )


def set_up(names: tuple[str, ...], messages: bytes) -> dict[int, str]:
    """Set up the present namespace, whose cables are laid; interface names by index."""
    indexes = {LOOPBACK: "lo"} | dict(enumerate(names, start=FIRST))
    for index, name in indexes.items():
        if socket.if_nametoindex(name) != index:
            raise OSError(f"interface {name} has index {socket.if_nametoindex(name)}, not {index}")
    for name in names:
        switch_offloads_off(name)
    with gate.link_events() as events:
        gate.send_messages(messages)
        for name in names:
            _await_carrier(name, events)
    return indexes


def _await_carrier(name: str, events: socket.socket) -> None:
    """Wait until frames sent into this end of a cable are not thrown away any more.

    The end that came up first gets its queue only when the kernel has worked off the event of its
    carrier (net/core/link_watch.c), some time after the other end came up. Being asked with
    ETHTOOL_GLINK, the kernel does that at once.
    """
    deadline = time.monotonic() + CARRIER_LIMIT
    while not _has_carrier(name):
        if not select.select([events], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise OSError(errno.ENETDOWN, f"{name}: the other end of the cable did not come up")
        events.recv(1 << 16)


def _has_carrier(name: str) -> bool:
    with gate.interface_socket() as control:
        value = create_string_buffer(struct.pack("=II", ETHTOOL_GLINK, 0), 8)
        request = struct.pack("16sP16x", name.encode(), addressof(value))
        fcntl.ioctl(control, SIOCETHTOOL, request)
    return bool(struct.unpack("=II", value.raw)[1])


def set_mtu(octets: int) -> list[tuple[str, int]]:
    """Set the MTU of every interface of the present namespace but loopback; what it was before.

    netdevice(7). Errors: OSError, EINVAL for what the interface cannot have.
    """
    changed = []
    with gate.interface_socket() as control:
        for _, name in socket.if_nameindex():
            if name == "lo":
                continue
            asked = fcntl.ioctl(control, SIOCGIFMTU, struct.pack(MTU_REQUEST, name.encode(), 0))
            fcntl.ioctl(control, SIOCSIFMTU, struct.pack(MTU_REQUEST, name.encode(), octets))
            changed.append((name, struct.unpack(MTU_REQUEST, asked)[1]))
    return changed


def switch_offloads_off(name: str) -> None:
    """What is captured is then what a wire would carry: whole checksums, no giant segments."""
    with gate.interface_socket() as control:
        for feature, command in ETHTOOL_OFF.items():
            value = create_string_buffer(struct.pack("=II", command, 0), 8)
            request = struct.pack("16sP16x", name.encode(), addressof(value))
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError as error:
                raise OSError(error.errno, f"{name}: switching off {feature}: {error}") from error
