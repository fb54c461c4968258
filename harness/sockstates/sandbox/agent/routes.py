"""Routes, addresses and neighbours of the present namespace, changed while a scenario runs.

ip-route(8), ip-address(8) and ip-neighbour(8) as netlink messages, sent through the gate. Judges
nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from sockstates.sandbox.network import gate
from sockstates.sandbox.network.interfaces import IFA_F_NODAD, IFF_NOARP, LOCAL_TABLE
from sockstates.sandbox.network.topology import PREFIX_IPV6


def change(verb: str, kind: str, destination: str, via: str = "") -> None:
    """Add, replace or delete a route to an address or to ``default``; OSError when it is refused.

    destination: an address, or 0.0.0.0 and :: for everything that no other route is for.
    """
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    length = 128 if family == socket.AF_INET6 else 32
    everything = destination in ("0.0.0.0", "::")
    wish: dict[str, Any] = {"dst": "default" if everything else f"{destination}/{length}"}
    if via:
        wish["gateway"] = via
    if kind != "unicast":
        wish["type"] = kind
    _send("route", verb, family=family, **wish)


def change_addresses(verb: str, interface: str, ipv4: str, prefix_ipv4: int, ipv6: str) -> None:
    """Add or delete both addresses of an interface; OSError when it is refused.

    The routes to its networks come and go with them, in the kernel. The local route to the IPv6
    address is set here, because the kernel does so later, in a work queue.
    """
    index = socket.if_nametoindex(interface)
    _send("addr", verb, index=index, address=ipv4, prefixlen=prefix_ipv4)
    _send("addr", verb, index=index, address=ipv6, prefixlen=PREFIX_IPV6, flags=IFA_F_NODAD)
    if verb == "add":
        local = {"dst": f"{ipv6}/128", "type": "local", "table": LOCAL_TABLE, "oif": index}
        _send("route", "replace", family=socket.AF_INET6, **local)


def ask_neighbours() -> None:
    """Forget the static neighbours of every cable, and resolve addresses there (ARP, ND).

    A change of IFF_NOARP makes the kernel forget all of an interface's neighbours
    (arp_netdev_event() in net/ipv4/arp.c, ndisc_netdev_event() in net/ipv6/ndisc.c).
    """
    for index, name in socket.if_nameindex():
        if name != "lo":
            _send("link", "set", index=index, flags=0, mask=IFF_NOARP)


def _send(what: str, *arguments: Any, **named: Any) -> None:
    encoder = gate.message_encoder()
    encoder.reset()
    getattr(encoder, what)(*arguments, **named)
    messages = bytes(encoder.batch)
    encoder.close()
    gate.send_messages(messages)
