"""What no fault chooses goes through a wire as it came: every byte, in order, both ways."""

import random
import sys

import pytest

from sockstates import Host, Lab, Wire

COUNT, SMALLEST, LARGEST = 2000, 60, 1514
KINDS = (b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x88\xb5", b"\x00\x26")
"""Ethernet types: IPv4, IPv6, ARP, one for experiments, and a length in place of a type."""
SEND = f"""
import errno, os, random, socket, sys
chance, kinds = random.Random(sys.argv[1]), {KINDS!r}
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sender.bind(("eth0", 0))
for _ in range({COUNT}):
    size = chance.randint({SMALLEST}, {LARGEST})
    frame = bytes(12) + chance.choice(kinds) + chance.randbytes(size - 14)
    while frame:
        try:
            sender.send(frame)
            frame = b""
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # the other end is behind: netdev_max_backlog
                raise
            os.sched_yield()
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
        program.ends(0, seconds=60)  # a limit against hanging only

    def came(receiver: str) -> list[bytes]:
        frames = lab.timeline.frames[receiver]
        return [each.data for each in frames if each.direction == "in"]

    def whole() -> bool:
        lab.settle()  # the wire's rings may hold frames when both programs have ended
        return all(len(came(host.name)) >= COUNT for host in (client, server))

    lab.wait_until(whole, "the last frames to come out of the wire", None)
    assert lab.doubt() is None
    for sender, receiver in (("client", "server"), ("server", "client")):
        assert came(receiver) == made(sender)
