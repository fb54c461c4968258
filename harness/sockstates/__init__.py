"""Scenario tests that make a real Linux kernel show every TCP socket state, and prove it.

Everything that a scenario handles is imported from here. What touches the kernel is loaded when it
is first asked for, so that `sockstates explain` and editors wait for none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)

if TYPE_CHECKING:
    from sockstates.lab.call import Call
    from sockstates.lab.connection import Connection
    from sockstates.lab.counter import KernelCounter
    from sockstates.lab.crafted_peer import CraftedPeer
    from sockstates.lab.endpoint import BOTH, READ, WRITE, Endpoint
    from sockstates.lab.fault import Fault
    from sockstates.lab.filtered_capture import Direction, FilteredCapture
    from sockstates.lab.host import Host
    from sockstates.lab.lab import Lab
    from sockstates.lab.link import Link
    from sockstates.lab.listener import Listener
    from sockstates.lab.opening import open_lab
    from sockstates.lab.program import Program
    from sockstates.lab.rule import Rule
    from sockstates.lab.wire import Wire
    from sockstates.sandbox.client.errors import HostGone, KernelLacks, LabError, SandboxUnavailable
    from sockstates.sandbox.client.sandbox import Sandbox
    from sockstates.tcp.segment import Segment

_LOADED_WHEN_ASKED_FOR = {
    "BOTH": "sockstates.lab.endpoint",
    "Call": "sockstates.lab.call",
    "Connection": "sockstates.lab.connection",
    "CraftedPeer": "sockstates.lab.crafted_peer",
    "Direction": "sockstates.lab.filtered_capture",
    "Endpoint": "sockstates.lab.endpoint",
    "Fault": "sockstates.lab.fault",
    "FilteredCapture": "sockstates.lab.filtered_capture",
    "Host": "sockstates.lab.host",
    "HostGone": "sockstates.sandbox.client.errors",
    "KernelCounter": "sockstates.lab.counter",
    "KernelLacks": "sockstates.sandbox.client.errors",
    "Lab": "sockstates.lab.lab",
    "LabError": "sockstates.sandbox.client.errors",
    "Link": "sockstates.lab.link",
    "Listener": "sockstates.lab.listener",
    "Program": "sockstates.lab.program",
    "READ": "sockstates.lab.endpoint",
    "Rule": "sockstates.lab.rule",
    "Sandbox": "sockstates.sandbox.client.sandbox",
    "SandboxUnavailable": "sockstates.sandbox.client.errors",
    "Segment": "sockstates.tcp.segment",
    "WRITE": "sockstates.lab.endpoint",
    "Wire": "sockstates.lab.wire",
    "open_lab": "sockstates.lab.opening",
}
"""Name -> the module that defines it."""

__all__ = [
    "BOTH",
    "CLOSED",
    "CLOSE_WAIT",
    "CLOSING",
    "ESTABLISHED",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "LAST_ACK",
    "LISTEN",
    "READ",
    "SYN_RECV",
    "SYN_SENT",
    "TIME_WAIT",
    "WRITE",
    "Call",
    "Connection",
    "CraftedPeer",
    "Direction",
    "Endpoint",
    "ExpectationFailed",
    "Fault",
    "FilteredCapture",
    "Host",
    "HostGone",
    "Inconclusive",
    "KernelCounter",
    "KernelLacks",
    "Lab",
    "LabError",
    "Link",
    "Listener",
    "Program",
    "Rule",
    "Sandbox",
    "SandboxUnavailable",
    "Segment",
    "State",
    "Wire",
    "open_lab",
]


def __getattr__(name: str) -> object:
    """A name that is loaded when it is asked for (PEP 562)."""
    if name not in _LOADED_WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_LOADED_WHEN_ASKED_FOR[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
