"""How many frames a second a wire passes on, with and without a rule that looks at each of them.

The rate that was reached is told. Where the machine has other work to do frames can be lost; red is
one that is lost and not counted, or that changes places. The transfer shows what TCP makes of a
wire.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from benchmarks.found import tell
from sockstates import Host, Lab, Wire
from sockstates.record.events import FramesLost

FLOOD = Path(__file__).with_name("flood.py")
RATE, COUNT, SIZE = 60_000, 120_000, 100
LIMIT = 120.0
TRANSFER = 32 << 20
NONE_OF_THEM = "client > server: Flags [_], length 1"
"""Every data segment is read to its end for this, and none is chosen."""

RECEIVE = f"""
import socket, time
listener = socket.create_server(("", 80))
peer, _ = listener.accept()
began, left = time.monotonic(), {TRANSFER}
while left:
    left -= len(peer.recv(min(left, 1 << 20)))
print(time.monotonic() - began)
"""
SEND = f"""
import socket
socket.create_connection(("server", 80)).sendall(bytes({TRANSFER}))
"""


def used(wire: Wire) -> float:
    """Seconds of a processor that the agent has used so far, whatever else the machine does."""
    times = psutil.Process(wire.pid).cpu_times()
    return float(times.user + times.system)


def lost(lab: Lab) -> int:
    """Frames that some witness says it lost."""
    return sum(each.count for each in lab.timeline.events if isinstance(each, FramesLost))


def segment_nobody_answers(lab: Lab) -> bytes:
    """Data from the client to the server, which a fault reads as far as its length.

    To everybody on the link: the server's kernel drops a broadcast frame with a packet for one
    host, ip_rcv_finish_core in net/ipv4/ip_input.c.
    """
    packet = IP(src=lab["client"].address, dst=lab["server"].address) / TCP(flags="PA", window=500)
    link = Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff")
    return bytes(link / packet / Raw(bytes(SIZE - len(link) - len(packet))))


@pytest.mark.families("ipv4")
@pytest.mark.parametrize("watched", [False, True], ids=["plain", "with a fault"])
def test_a_flood(benchmark: Any, lab: Lab, client: Host, wire: Wire, watched: bool) -> None:
    """Small frames: all of them come out at the other end, or are counted where they were lost."""
    if watched:
        wire.drop(NONE_OF_THEM)

    def flood() -> float:
        frame = segment_nobody_answers(lab).hex()
        program = client.start([sys.executable, str(FLOOD), "eth0", str(COUNT), str(RATE), frame])
        program.ends(0, seconds=LIMIT)
        return float(program.output.split()[1])

    before = used(wire)
    seconds = benchmark.pedantic(flood, rounds=1)
    lab.settle()
    spent = used(wire) - before
    came = sum(
        each.length == SIZE and each.direction == "in" for each in lab.timeline.frames["server"]
    )
    passed = sum(each.direction == "out" for each in lab.timeline.frames["wire"])
    found = {
        "frames_a_second": round(COUNT / seconds),
        "came": came,
        "counted_as_lost": lost(lab),
        "frames_a_second_of_processor_time": round(passed / spent),
    }
    tell(benchmark, found, frames_a_second=RATE, came=COUNT, counted_as_lost=0)
    assert came <= COUNT, "none comes twice"
    assert came + lost(lab) >= COUNT, "what is lost is counted"


@pytest.mark.families("ipv4")
def test_a_transfer(benchmark: Any, lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    """A bulk transfer, of which every segment is looked at: in order, and none twice."""
    wire.drop(NONE_OF_THEM)

    def transfer() -> float:
        receiver = server.start([sys.executable, "-c", RECEIVE])
        receiver.listens(80)
        sender = client.start([sys.executable, "-c", SEND])
        receiver.ends(0, seconds=LIMIT)
        sender.ends(0)
        return float(receiver.output)

    seconds = benchmark.pedantic(transfer, rounds=1)
    lab.settle()
    passed = lab.timeline.frames["server"]
    data = [each for each in passed if each.direction == "in" and each.length > SIZE]
    numbers = [int.from_bytes(each.data[38:42], "big") for each in data]
    steps = [(after - before) % (1 << 32) for before, after in pairwise(numbers)]
    found = {
        "frames_a_second": round(len(passed) / seconds),
        "megabytes_a_second": round(TRANSFER / seconds / 1e6, 1),
        "again_or_out_of_order": sum(step >= 1 << 31 for step in steps),
    }
    tell(benchmark, found | {"counted_as_lost": lost(lab)}, counted_as_lost=0)
    if not lost(lab):
        assert not any(step >= 1 << 31 for step in steps), found
