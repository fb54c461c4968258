"""Tries for real what every scenario does: a lab, a handshake that is captured, a rule that drops.

Works through the harness' own words, so that nothing but a lab's hosts is ever touched.
"""

from __future__ import annotations

import time

from sockstates.commands.doctor.facts import Trial
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.kernel_parts import KERNEL_PARTS
from sockstates.lab.lab import Lab
from sockstates.lab.opening import open_lab
from sockstates.sandbox.client.errors import LabError, SandboxUnavailable
from sockstates.sandbox.client.sandbox import Sandbox
from sockstates.sandbox.network.topology import Family
from sockstates.system import has_ipv6

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")


def try_lab() -> Trial:
    """Make a lab of two hosts for each address family, and use it."""
    began = time.monotonic()
    rules: dict[str, str] = {}
    frames: list[int] = []
    try:
        sandbox = Sandbox()
        try:
            for family in FAMILIES if has_ipv6() else FAMILIES[:1]:
                with open_lab(sandbox, families=(family,)) as lab:
                    frames.append(_frames_of_a_handshake(lab))
                    rules[family] = _failure_of_a_rule(lab)
                    sys_is_empty = _sys_is_empty(lab)
                    lacks = frozenset(name for name, lacks in KERNEL_PARTS.items() if lacks(lab))
            no_tracepoints = sandbox.kernel_watch.missing
        finally:
            sandbox.close()
    except (LabError, OSError, ExpectationFailed) as error:
        failure = str(error).partition("\nRun ")[0]
        return Trial(failure=failure, refused=isinstance(error, SandboxUnavailable), rules=rules)
    return Trial(
        seconds=time.monotonic() - began,
        rules=rules,
        frames=min(frames),
        sys_is_empty=sys_is_empty,
        lacks=lacks,
        no_tracepoints=no_tracepoints,
    )


def _frames_of_a_handshake(lab: Lab) -> int:
    connection = lab["client"].connect(lab["server"].listen())
    connection.client.connecting.returns()
    lab.settle()
    return len(lab.timeline.wire)


def _failure_of_a_rule(lab: Lab) -> str:
    """A SYN that is dropped before it leaves is counted when connect(2) is back: no waiting."""
    client, server = lab["client"], lab["server"]
    listener = server.listen()
    try:
        rule = client.iptables("-A OUTPUT -d server -j DROP")
    except (LabError, OSError) as error:
        return str(error)
    client.connect(listener)
    dropped = rule.packets if rule else 0
    return "" if dropped else "the rule was taken, but it did not drop the packet that it names"


def _sys_is_empty(lab: Lab) -> bool:
    listing = lab["client"].start("ls /sys")
    listing.ends(0)
    return not listing.output
