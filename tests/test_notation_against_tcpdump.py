"""The real tcpdump as judge of what is printed: the same segments, line by line."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness.evidence.frames import CapturedFrame
from harness.report.pcapng import write_pcapng
from harness.tcp.dissect import dissect
from harness.tcp.notation import (
    Origins,
    format_segment,
)
from harness.tcp.options import Option
from harness.tcp.segment import Address


class Talk:
    """Generates segments that look like connections, and some that do not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ends = [(Address("10.0.0.1", 40000 + n), Address("10.0.0.2", 40002)) for n in range(5)]
        self.ends += [(Address("fd00::1", 40000), Address("fd00::2", 40000 + n)) for n in range(3)]

    def options(self) -> tuple[Option, ...]:
        some = [
            Option(1),
            Option(2, self.random.randbytes(2)),
            Option(3, self.random.randbytes(1)),
            Option(4),
            Option(5, self.random.randbytes(8 * self.random.randrange(3))),
            Option(6, self.random.randbytes(4)),
            Option(8, self.random.randbytes(8)),
            Option(11, self.random.randbytes(4)),
            Option(20, self.random.randbytes(2)),
            Option(28, self.random.randbytes(2)),
            Option(29, self.random.randbytes(self.random.randrange(12))),
            Option(34, self.random.randbytes(self.random.randrange(19))),
            Option(self.random.randrange(35, 254), self.random.randbytes(self.random.randrange(9))),
            Option(254, self.random.randbytes(self.random.randrange(2, 9))),
            Option(254, b"\xf9\x89" + self.random.randbytes(self.random.randrange(9))),
            Option(0),
        ]
        return tuple(self.random.sample(some, self.random.choice((0, 0, 0, 1, 2, 3))))

    def frame(self) -> bytes:
        source, destination = self.random.choice(self.ends)
        if self.random.random() < 0.5:
            source, destination = destination, source
        octets = b"".join(
            bytes([each.kind])
            if each.kind < 2
            else bytes([each.kind, len(each.data) + 2]) + each.data
            for each in self.options()
        )[:40]
        octets += bytes([1] * (-len(octets) % 4))
        network = IPv6 if ":" in source.ip else IP
        transport = TCP(
            sport=source.port,
            dport=destination.port,
            seq=self.random.choice((0, 5, 1000, 2**31, 2**32 - 2)) + self.random.randrange(2),
            ack=self.random.choice((0, 5, 1000, 2**31, 2**32 - 2)) + self.random.randrange(2),
            flags=self.random.choice((2, 16, 17, 18, 20, 24, 24, self.random.randrange(256))),
            window=self.random.randrange(65536),
            urgptr=self.random.randrange(65536),
            dataofs=5 + len(octets) // 4,
        )
        payload = self.random.randbytes(self.random.choice((0, 0, 1, 5, 100, 1400)))
        layers = network(
            src=source.ip, dst=destination.ip, **{"nh" if network is IPv6 else "proto": 6}
        )
        link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        return bytes(link / layers / transport / Raw(octets + payload))

    def frames(self) -> Iterator[bytes]:
        while True:
            octets = self.frame()
            try:
                dissect(octets, 0)
            except ValueError:  # options cut at 40 octets
                continue
            yield octets


def tcpdump(path: Path, *arguments: Any) -> list[str]:
    with path.open("rb") as capture:
        ran = subprocess.run(
            ["tcpdump", *arguments, "-t", "-r", "-"],
            stdin=capture,
            capture_output=True,
            text=True,
            check=True,
        )
    return [line.removeprefix("IP6 ").removeprefix("IP ") for line in ran.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump: apt install tcpdump")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tcpdump_prints_the_same(tmp_path: Path, seed: int) -> None:
    frames = list(islice(Talk(seed).frames(), 500))
    path = tmp_path / "talk.pcapng"
    captured = [
        CapturedFrame(n * 1000, "client:eth0", "in", each, len(each))
        for n, each in enumerate(frames)
    ]
    write_pcapng(path, captured)
    seen = [segment for each in frames if (segment := dissect(each, 0)) is not None]
    assert [format_segment(each) for each in seen] == tcpdump(path, "-nnS")
    origins = Origins()
    relative = [format_segment(each, origin=origins.of(each)) for each in seen]
    assert relative == tcpdump(path, "-nn")
