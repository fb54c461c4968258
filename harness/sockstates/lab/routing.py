"""A host's routes, addresses and neighbours, as the scenario changes them.

`Host.route`, `Host.ip_address`, `Host.ask_neighbours`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sockstates.lab.addressed_host import AddressedHost
from sockstates.record.events import ADDRESS, NEIGHBOURS, ROUTE, SysctlSet
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.network.topology import Family
from sockstates.sandbox.protocol import ROUTE_KINDS, ROUTE_VERBS
from sockstates.tcp.nearest import did_you_mean

if TYPE_CHECKING:
    from sockstates.lab.host import Host

DEFAULT = "default"
EVERYTHING: dict[Family, str] = {"ipv4": "0.0.0.0", "ipv6": "::"}


def route(self: Host, words: str) -> None:
    """Change a route, in ip-route(8)'s words: ``add blackhole server``, ``del default``.

    ``add``, ``replace`` or ``del``; ``blackhole``, ``unreachable``, ``prohibit`` or none of them;
    a host's name or ``default``; ``via`` a host's name. Of both families. Errors: LabError says
    what can be written, or why the kernel refuses it.
    """
    verb, kind, destination, via = _read(self, words)
    for family, everything in EVERYTHING.items():
        target = everything if destination == DEFAULT else _address(self, destination, family)
        gateway = _address(self, via, family) if via else ""
        try:
            self.agent.routes.change(verb, kind, target, gateway)
        except OSError as error:
            raise LabError(f"{self.name}: route {words} is refused: {error}") from error
    _record(self, f"{ROUTE} {words}", "done")


def ip_address(self: Host, words: str) -> None:
    """Take an interface's addresses away, or give them back: ``del dev eth0``, ``add dev eth0``.

    In ip-address(8)'s words; of both families. With them go, and come back, the routes to the
    networks that they are in. With them go, and do not come back, every other IPv4 route by this
    interface and what was known of neighbours there: see `ask_neighbours`. A router's interfaces
    are named after whom they lead to: ``to-client``. Errors: LabError says what can be written, or
    why the kernel refuses it.
    """
    ends = {each.name: each for each in self.lab.plan.interfaces(self.name)}
    verb, _, device = words.partition(" dev ")
    if verb not in ("add", "del") or device not in ends:
        raise LabError(
            f"{self.name}: address {words!r} cannot be read: add or del, then dev, then one of "
            f"{', '.join(ends)}"
        )
    end = ends[device]
    try:
        self.agent.routes.change_addresses(verb, device, end.ipv4, end.prefix_ipv4, end.ipv6)
    except OSError as error:
        raise LabError(f"{self.name}: address {words} is refused: {error}") from error
    _record(self, f"{ADDRESS} {words}", "done")


def ask_neighbours(self: Host) -> None:
    """Have this host ask for its neighbours' link addresses from now on (ARP, ND), as hosts do.

    The hosts of a lab know them from the beginning. A host that was not told to ask answers no
    ARP either; of IPv6's questions it answers those that its rules let in. A router cannot ask for
    whom it forwards IPv6 to: it would from a link-local address (ndisc_send_ns() in
    net/ipv6/ndisc.c), and a lab has none.
    """
    self.agent.routes.ask_neighbours()
    _record(self, NEIGHBOURS, "asked for")


def _read(host: Host, words: str) -> tuple[str, str, str, str]:
    """Verb, kind, destination, and via which host, if any."""
    verb, *rest = words.split() or [""]
    kind = rest.pop(0) if rest and rest[0] in ROUTE_KINDS else "unicast"
    via = ""
    if rest[1:2] == ["via"] and len(rest) == 3:
        rest, via = rest[:1], rest[2]
    if verb not in ROUTE_VERBS or len(rest) != 1:
        raise LabError(
            f"{host.name}: route {words!r} cannot be read: one of {', '.join(ROUTE_VERBS)}, then "
            f"perhaps one of {', '.join(ROUTE_KINDS)}, then a host or {DEFAULT}, then perhaps via "
            "a host"
        )
    return verb, kind, rest[0], via


def _address(host: Host, name: str, family: Family) -> str:
    """The address of a host of the lab, as a host's name says it."""
    named = host.lab.names.addresses.get(name, ())
    wanted = [each for each in named if (":" in each) == (family == "ipv6")]
    if not wanted:
        known = ", ".join(sorted(host.lab.plan.names))
        raise LabError(
            f"{host.name}: route to whom? There is no host {name!r}. "
            f"{did_you_mean(name, host.lab.plan.names)}The hosts are: {known}; "
            f"{DEFAULT} is all the others."
        )
    return wanted[0]


def _record(host: AddressedHost, what: str, value: str) -> None:
    host.lab.timeline.add(SysctlSet(time.time_ns(), host.name, what, value, ""))
