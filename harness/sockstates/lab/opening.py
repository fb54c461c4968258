"""Make a lab, and end it: what a scenario's fixtures do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sockstates.lab.lab import Lab
from sockstates.sandbox.client.sandbox import Sandbox
from sockstates.sandbox.network.topology import Family
from sockstates.sandbox.request import LabRequest


@contextmanager
def open_lab(
    sandbox: Sandbox,
    *,
    hosts: tuple[str, ...] = ("client", "server"),
    router: bool = False,
    families: tuple[Family, ...] = ("ipv4",),
    capture_loopback: bool = False,
    title: str = "",
    wire: bool = False,
) -> Iterator[Lab]:
    """A lab that is up inside the block, and gone after it."""
    request = LabRequest(sandbox.next_lab(), hosts, router, families, capture_loopback, wire)
    lab = Lab(sandbox, request, title)
    try:
        yield lab
    finally:
        if not lab.keep:
            lab.close()
