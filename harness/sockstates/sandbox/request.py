"""What the test process asks of the sandbox, in the words that both know."""

from __future__ import annotations

from dataclasses import dataclass

from sockstates.sandbox.network.topology import Family

MESSAGE_SIZE = 1 << 16
MOST_DESCRIPTORS = 250
"""In one message; SCM_MAX_FD of unix(7) is 253."""


@dataclass(frozen=True, slots=True)
class LabRequest:
    """What a lab is to be; sent to the sandbox with three descriptors for each host."""

    lab: int
    hosts: tuple[str, ...]
    router: bool
    families: tuple[Family, ...]
    capture_loopback: bool = False
    wire: bool = False
