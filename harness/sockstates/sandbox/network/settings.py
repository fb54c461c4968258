"""Kernel settings of a lab's hosts that are the same on every machine.

A new network namespace takes some settings from the machine and computes others from its hash
tables; what a scenario sees must not depend on either. Everything here is written to every host
before its interface comes up, and shown in the output. What a kernel does not have is left out,
and the host's record of its settings says what is in force.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from sockstates.sandbox.network import gate

QUIET: Mapping[str, int | str] = {
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.addr_gen_mode": 1,
    "net.ipv6.conf.default.router_solicitations": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.disable_ipv6": 0,
}
"""No traffic of the interface's own accord: no address autoconfiguration, no solicitations."""

PINNED: Mapping[str, int | str] = {
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.accept_redirects": 0,
    "net.ipv4.conf.default.accept_redirects": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv6.icmp.ratelimit": 0,
    "net.ipv4.tcp_congestion_control": "reno",
    "net.ipv4.tcp_ecn": 2,
    "net.ipv4.tcp_syn_retries": 6,
    "net.ipv4.tcp_synack_retries": 5,
    "net.ipv4.tcp_syn_linear_timeouts": 4,
    "net.ipv4.tcp_retries1": 3,
    "net.ipv4.tcp_retries2": 15,
    "net.ipv4.tcp_orphan_retries": 0,
    "net.ipv4.tcp_fin_timeout": 60,
    "net.ipv4.tcp_rto_max_ms": 120000,
    "net.ipv4.tcp_max_tw_buckets": 65536,
    "net.ipv4.tcp_max_syn_backlog": 1024,
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv4.tcp_tw_reuse": 2,
    "net.ipv4.tcp_rmem": "4096\t131072\t6291456",
    "net.ipv4.tcp_wmem": "4096\t16384\t4194304",
    "net.core.somaxconn": 4096,
}
"""The values of a usual Linux. Written also where they are the kernel's own default, because the
small hash table that makes watching cheap (below) makes the kernel choose smaller ones. Reno is
the one congestion control that every kernel offers to every namespace. Every port is open to
everybody, so that a container's root without CAP_NET_BIND_SERVICE can serve port 80 too."""

LARGEST_MASK = 32
"""Processors that fit into a mask of one word."""
FORWARDING: Mapping[str, int | str] = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}


def processor(lab: int) -> int:
    """One of the processors that we may use, another one for each lab; with 0, for each host."""
    usable = [each for each in sorted(os.sched_getaffinity(0)) if each < LARGEST_MASK] or [0]
    return usable[(lab or gate.network_namespace()[1]) % len(usable)]


def in_order(processor: int) -> dict[str, int | str]:
    """Have one processor receive all that arrives at the interfaces made from now on.

    A cable of veth hands a frame to the processor that sends it. Two segments of one connection
    that leave from two processors, an acknowledgement from a timer and a FIN from close(2), say,
    can then overtake one another, which no real cable does.
    """
    return {"net.core.rps_default_mask": f"{1 << processor:x}"}


SMALL_HASH_TABLE = ("net.ipv4.tcp_child_ehash_entries", 512)
"""Reading /proc/net/tcp walks the whole table of connections; namespaces made from one with this
setting get a small table of their own instead of a share in the machine's large one."""


def pin(settings: Mapping[str, int | str]) -> None:
    """Write settings to the present namespace; what this kernel lacks or keeps is left as it is."""
    for name, value in settings.items():
        try:
            gate.write_sysctl(name, value)
        except FileNotFoundError:
            continue
        except PermissionError:
            if gate.read_sysctl(name).split() != str(value).split():
                raise


def read(names: Iterable[str]) -> dict[str, str]:
    """What is in force now, for the settings that this kernel has."""
    values: dict[str, str] = {}
    for name in names:
        try:
            values[name] = gate.read_sysctl(name)
        except (FileNotFoundError, PermissionError):
            continue
    return values
