"""Who is connected to whom, and under which addresses: worked out before anything is made.

Pure: a plan of interfaces, addresses, static neighbours and routes. Two hosts are joined by one
cable; more are joined by a switch (a bridge in a namespace of its own), or, when a router is asked
for, each by a cable to the router. A wire between two hosts is a host without addresses: frames
come out of it as they went in, unless a fault is asked for. The lab's number goes into every
address, so that whoever sees an address anywhere on the machine can tell the lab.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

Family = Literal["ipv4", "ipv6"]

ROUTER = "router"
SWITCH = "switch"
WIRE = "wire"
INTERFACE = "eth0"
LABS = 1 << 16
PREFIX_IPV6 = 64
_HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class TopologyError(ValueError):
    """A lab that cannot be built as asked."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a cable. A bridge port has no addresses."""

    host: str
    name: str
    mac: str
    ipv4: str = ""
    ipv6: str = ""
    prefix_ipv4: int = 24
    neighbours: tuple[tuple[str, str], ...] = ()
    """Static neighbours: (address, MAC)."""
    gateway_ipv4: str = ""
    gateway_ipv6: str = ""
    mtu: int = 1500

    def address(self, family: Family) -> str:
        """The interface's address of that family, empty for a bridge port."""
        return self.ipv4 if family == "ipv4" else self.ipv6


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to be made for a lab: hosts in order, cables between interfaces."""

    number: int
    hosts: tuple[str, ...]
    cables: tuple[tuple[Interface, Interface], ...]
    names: dict[str, dict[Family, str]] = field(default_factory=dict)
    """Host name -> address by family; what /etc/hosts says."""

    def interfaces(self, host: str) -> tuple[Interface, ...]:
        """The host's interfaces, in order."""
        return tuple(end for cable in self.cables for end in cable if end.host == host)


def way_out(made: Plan, host: str, address: str) -> tuple[Interface, str]:
    """The interface by which this host reaches the address, and the MAC of who is next on the way.

    LookupError when there is no way.
    """
    for interface in made.interfaces(host):
        neighbours = dict(interface.neighbours)
        gateway = interface.gateway_ipv6 if ":" in address else interface.gateway_ipv4
        mac = neighbours.get(address) or neighbours.get(gateway)
        if mac:
            return interface, mac
    raise LookupError(f"{host} has no way to {address}")


def check_names(hosts: tuple[str, ...]) -> None:
    """Raise :class:`TopologyError` for a set of host names that a lab cannot have."""
    if len(hosts) < 2:
        raise TopologyError(f"a lab has at least two hosts, not {len(hosts)}: {hosts!r}")
    for name in hosts:
        if not _HOST_NAME.fullmatch(name):
            raise TopologyError(
                f"{name!r} is not a host name: a lower-case letter first, then lower-case "
                "letters, digits, '-'"
            )
        if name in (ROUTER, SWITCH, WIRE):
            raise TopologyError(
                f"{name!r} is reserved for what lies between the hosts; use another name"
            )
    if len(set(hosts)) != len(hosts):
        raise TopologyError(f"each host may be named only once: {hosts!r}")


def host_names(
    hosts: tuple[str, ...], *, router: bool = False, wire: bool = False
) -> tuple[str, ...]:
    """Every namespace that the plan for these hosts has: the hosts, then what lies between."""
    if wire:
        return (*hosts, WIRE)
    if router:
        return (*hosts, ROUTER)
    return hosts if len(hosts) == 2 else (*hosts, SWITCH)


def plan(hosts: tuple[str, ...], *, router: bool = False, wire: bool = False, number: int) -> Plan:
    """The plan of lab `number` (0 to 65535) with these hosts."""
    check_names(hosts)
    if wire and (router or len(hosts) > 2):
        raise TopologyError("a wire joins two hosts directly: no third host, and no router")
    if not 0 <= number < LABS:
        raise TopologyError(f"lab number {number}: 0 to {LABS - 1}")
    if router:
        return _through_router(hosts, number)
    if wire:
        return _through_wire(hosts, number)
    if len(hosts) == 2:
        return _by_cable(hosts, number)
    return _through_switch(hosts, number)


def _mac(position: int, side: int = 0) -> str:
    return f"02:00:00:00:{side:02x}:{position:02x}"


def _addresses(number: int, position: int, network: int = 0) -> tuple[str, str]:
    """A lab has 10.N.N.0/24 and fd00:N::/48 to itself; behind a router each host has a quarter."""
    ipv4 = f"10.{number >> 8}.{number & 255}.{64 * network + position}"
    ipv6 = ip_address(f"fd00:{number:x}:0:{network:x}::{position:x}")
    return ipv4, str(ipv6)


def number_in_addresses(number: int) -> tuple[bytes, bytes]:
    """The bytes in which lab `number` shows in its IPv4 and in its IPv6 addresses."""
    ipv4, ipv6 = (ip_address(text).packed for text in _addresses(number, 1))
    return ipv4[:3], ipv6[:4]


def _host_end(number: int, hosts: tuple[str, ...], position: int) -> Interface:
    ipv4, ipv6 = _addresses(number, position)
    neighbours = tuple(
        (address, _mac(other))
        for other in range(1, len(hosts) + 1)
        if other != position
        for address in _addresses(number, other)
    )
    return Interface(
        hosts[position - 1], INTERFACE, _mac(position), ipv4, ipv6, neighbours=neighbours
    )


def _named(interfaces: list[Interface]) -> dict[str, dict[Family, str]]:
    return {end.host: {"ipv4": end.ipv4, "ipv6": end.ipv6} for end in interfaces}


def _by_cable(hosts: tuple[str, ...], number: int) -> Plan:
    first, second = (_host_end(number, hosts, position) for position in (1, 2))
    return Plan(number, hosts, ((first, second),), _named([first, second]))


def _through_wire(hosts: tuple[str, ...], number: int) -> Plan:
    ends = [_host_end(number, hosts, position) for position in (1, 2)]
    cables = tuple(
        (end, Interface(WIRE, f"to-{end.host}"[:15], _mac(position, side=1)))
        for position, end in enumerate(ends, start=1)
    )
    return Plan(number, host_names(hosts, wire=True), cables, _named(ends))


def _through_switch(hosts: tuple[str, ...], number: int) -> Plan:
    ends = [_host_end(number, hosts, position) for position in range(1, len(hosts) + 1)]
    cables = tuple(
        (end, Interface(SWITCH, f"port{position}", _mac(position, side=1)))
        for position, end in enumerate(ends, start=1)
    )
    return Plan(number, host_names(hosts, router=False), cables, _named(ends))


def _through_router(hosts: tuple[str, ...], number: int) -> Plan:
    if len(hosts) > 4:
        raise TopologyError(f"a router joins at most four hosts, not {len(hosts)}")
    cables: list[tuple[Interface, Interface]] = []
    for network, name in enumerate(hosts):
        router4, router6 = _addresses(number, 1, network)
        host4, host6 = _addresses(number, 2, network)
        host_mac, router_mac = _mac(network + 1), _mac(network + 1, side=1)
        end = Interface(
            name,
            INTERFACE,
            host_mac,
            host4,
            host6,
            prefix_ipv4=26,
            neighbours=((router4, router_mac), (router6, router_mac)),
            gateway_ipv4=router4,
            gateway_ipv6=router6,
        )
        far = Interface(
            ROUTER,
            f"to-{name}"[:15],
            router_mac,
            router4,
            router6,
            prefix_ipv4=26,
            neighbours=((host4, host_mac), (host6, host_mac)),
        )
        cables.append((end, far))
    named = _named([end for end, _ in cables] + [cables[0][1]])
    return Plan(number, host_names(hosts, router=True), tuple(cables), named)
