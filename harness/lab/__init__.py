"""The rim: everything that touches the kernel. It records; it judges nothing."""

from harness.lab.connection import Connection
from harness.lab.counter import KernelCounter
from harness.lab.crafted_peer import CraftedPeer
from harness.lab.endpoint import BOTH, READ, WRITE, Endpoint
from harness.lab.errors import HostGone, KernelLacks, LabError, SandboxUnavailable
from harness.lab.fault import Fault
from harness.lab.host import Host
from harness.lab.lab import Lab
from harness.lab.link import Link
from harness.lab.listener import Listener
from harness.lab.opening import open_lab
from harness.lab.program import Program
from harness.lab.rule import Rule
from harness.lab.sandbox import Sandbox
from harness.lab.wire import Wire

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
