"""The names of network sysctls as people write them, and what they may have meant."""

from __future__ import annotations

from collections.abc import Sequence

from sockstates.tcp.nearest import nearest

NETWORK = "net."


def full_sysctl(name: str) -> str:
    """The whole name: ``net.ipv4.tcp_syn_retries`` for ``ipv4.tcp_syn_retries``; sysctl(8)."""
    return NETWORK + name.replace("/", ".").removeprefix(NETWORK)


def no_sysctl(name: str, known: Sequence[str]) -> str:
    """What to say of a setting that is none of those which a host has."""
    full = full_sysctl(name)
    ending = full.removeprefix(NETWORK)
    meant = [each for each in known if each.endswith(f".{ending}")] or nearest(full, known)
    hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
    return (
        f"a host has no sysctl {name}: this kernel has none of that name below net., or only one "
        f"for the whole machine.{hint}"
    )
