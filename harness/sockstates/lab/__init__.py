"""The rim: everything that touches the kernel. It records; it judges nothing."""

from sockstates.lab.connection import Connection
from sockstates.lab.counter import KernelCounter
from sockstates.lab.crafted_peer import CraftedPeer
from sockstates.lab.endpoint import BOTH, READ, WRITE, Endpoint
from sockstates.lab.fault import Fault
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

__all__ = [
    "BOTH",
    "READ",
    "WRITE",
    "Connection",
    "CraftedPeer",
    "Endpoint",
    "Fault",
    "Host",
    "HostGone",
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
    "Wire",
    "open_lab",
]
