"""What no fault chooses goes through a wire as it came: every octet, in order, both ways."""

import random
import sys

import pytest

from harness.lab import Host, Lab, Wire

COUNT, SMALLEST, LARGEST = 2000, 60, 1514
KINDS = (b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x88\xb5", b"\x00\x26")
"""Ethernet types: IPv4, IPv6, ARP, one for experiments, and a length in place of a type."""
SEND = f"""
import random, socket, sys
chance, kinds = random.Random(sys.argv[1]), {KINDS!r}
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sender.bind(("eth0", 0))
for _ in range({COUNT}):
    size = chance.randint({SMALLEST}, {LARGEST})
    sender.send(bytes(12) + chance.choice(kinds) + chance.randbytes(size - 14))
"""
"""To an address that is nobody's, so that no stack answers."""


def made(seed: str) -> list[bytes]:
    """The frames that the program of this seed sends."""
    chance = random.Random(seed)
    frames = []
    for _ in range(COUNT):
        size = chance.randint(SMALLEST, LARGEST)
        frames.append(bytes(12) + chance.choice(KINDS) + chance.randbytes(size - 14))
    return frames


@pytest.mark.parametrize("watched", [False, True], ids=["plain", "with faults"])
def test_unchanged_and_in_order(
    lab: Lab, client: Host, server: Host, wire: Wire, watched: bool
) -> None:
    if watched:
        wire.drop("client > server: Flags [_], length 1")
        wire.delay("server > client: Flags [S]", seconds=1, every=2)
    programs = [host.start([sys.executable, "-c", SEND, host.name]) for host in (client, server)]
    for program in programs:
        program.ends(0, seconds=60)
    lab.settle()
    assert lab.doubt() is None
    for sender, receiver in (("client", "server"), ("server", "client")):
        came = [each.data for each in lab.timeline.frames[receiver] if each.direction == "in"]
        assert came == made(sender)
