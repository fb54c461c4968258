"""The one gate to the network: nothing here works in the namespace that the process started in.

Every change of network state in this project goes through a function of this module: netlink
sockets, sysctls under ``/proc/sys/net``, interface ioctls. Each of them first calls
:func:`prove_outside_host`, and no other module opens such a thing (``tests/test_gate.py`` reads
the whole package to hold that). A process that imported this module can therefore never change
the network that it was started in, whatever else it does wrong.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

NamespaceId = tuple[int, int]


def network_namespace() -> NamespaceId:
    """The network namespace that this process is in: device and inode of its file in /proc."""
    status = os.stat("/proc/self/ns/net")
    return status.st_dev, status.st_ino


STARTED_IN: NamespaceId = network_namespace()
"""Read when this module is imported, which is before any code of ours can have moved."""


class HostNetworkError(RuntimeError):
    """A change of network state was asked for in the machine's own network namespace."""


def prove_outside_host() -> None:
    """Raise :class:`HostNetworkError` unless this process has left the namespace it started in."""
    if network_namespace() == STARTED_IN:
        raise HostNetworkError(
            "refused: this would change the network namespace that the process was started in "
            f"(inode {STARTED_IN[1]}). Network state is changed inside a lab's hosts only; "
            "use the methods of a Host."
        )


def routing_socket() -> Any:
    """pyroute2's ``IPRoute`` in the present namespace: links, addresses, neighbours, routes."""
    prove_outside_host()
    from pyroute2 import IPRoute

    return IPRoute(groups=0)


def filter_socket() -> Any:
    """pyroute2's ``NFTSocket`` in the present namespace, bound: nf_tables."""
    prove_outside_host()
    from pyroute2.netlink.nfnetlink.nftsocket import NFTSocket

    nft = NFTSocket()
    nft.bind()
    return nft


def interface_socket() -> socket.socket:
    """A datagram socket in the present namespace for interface ioctls (netdevice(7))."""
    prove_outside_host()
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def sysctl_path(name: str) -> Path:
    """The file of a sysctl: ``net.ipv4.tcp_syn_retries`` and ``ipv4/tcp_syn_retries`` both work."""
    relative = name.replace(".", "/") if "/" not in name else name
    return Path("/proc/sys") / (relative if relative.startswith("net/") else f"net/{relative}")


def write_sysctl(name: str, value: str | int) -> None:
    """Set a network sysctl of the present namespace; the kernel's ``OSError`` with its name."""
    prove_outside_host()
    try:
        sysctl_path(name).write_text(f"{value}\n")
    except OSError as error:
        raise OSError(error.errno, f"{name} = {value}: {error.strerror}") from error
