"""The real tcpdump as judge of what is printed, line by line, with the options that are imitated.

Over generated frames, over labs, and over every capture below the folder that SOCKSTATES_CAPTURES
names (<scenario>/<host>.pcapng, as --lab-report leaves them).
"""

import os
import random
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from sockstates import Host, Lab
from sockstates.captures.file import CaptureFile
from sockstates.captures.pcapng_writer import write_pcapng
from sockstates.record.frames import CapturedFrame
from sockstates.report.folder import write_folder
from sockstates.tcp.dissect import dissect
from sockstates.tcp.options import Option
from sockstates.tcp.segment import Address
from sockstates.tcp.states import CLOSED, TIME_WAIT
from sockstates.tcp.tcpdump_output import Style, TcpdumpPrinter, tcpdump_lines
from tests.real_captures import FOLDER, over_real_captures, real_captures

STYLES = {
    "-nn": Style(),
    "-nnS": Style(absolute=True),
    "-nnt": Style(times=False),
    "-nnv": Style(verbose=True),
    "-nnvS --nano": Style(absolute=True, verbose=True, nanoseconds=True),
}
ZONE = "America/St_Johns"
TIME = 1_700_000_000_123_456_789


pytestmark = pytest.mark.programs("tcpdump")


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

    def network(self, source: str, destination: str) -> IP | IPv6:
        """An IP header, with some of everything that -v shows of it."""
        choose = self.random.choice
        service = choose((0, 0, 0, 1, 2, 3, 0xB8, 255))
        if ":" in source:
            flow = choose((0, 5, 0x12345))
            limit = choose((64, 1, 0))
            return IPv6(src=source, dst=destination, nh=6, tc=service, fl=flow, hlim=limit)
        return IP(
            src=source,
            dst=destination,
            proto=6,
            tos=service,
            ttl=choose((64, 255, 1, 0)),
            id=self.random.randrange(65536),
            flags=choose(("DF", "DF", "", "evil", "MF", "DF+evil")),
            **choose(({}, {}, {}, {"chksum": self.random.randrange(65536)})),
        )

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
        transport = TCP(
            sport=source.port,
            dport=destination.port,
            seq=self.random.choice((0, 5, 1000, 2**31, 2**32 - 2)) + self.random.randrange(2),
            ack=self.random.choice((0, 5, 1000, 2**31, 2**32 - 2)) + self.random.randrange(2),
            flags=self.random.choice((2, 16, 17, 18, 20, 24, 24, self.random.randrange(256))),
            window=self.random.randrange(65536),
            urgptr=self.random.randrange(65536),
            dataofs=5 + len(octets) // 4,
            **self.random.choice(({}, {}, {"chksum": self.random.randrange(65536)})),
        )
        payload = self.random.randbytes(self.random.choice((0, 0, 1, 5, 100, 1400)))
        layers = self.network(source.ip, destination.ip) / transport
        link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        return bytes(link / layers / Raw(octets + payload))

    def frames(self) -> Iterator[bytes]:
        while True:
            octets = self.frame()
            try:
                dissect(octets, 0)
            except ValueError:  # options cut at 40 bytes
                continue
            yield octets


def tcpdump(path: Path, options: str, zone: str = "UTC") -> list[str]:
    """What tcpdump prints of a capture's TCP; -T tftp has it decode no protocol above."""
    command = ["tcpdump", *options.split(), "-T", "tftp", "-r", "-"]
    # Of fragments the first one only: the others have no TCP header.
    command.append("tcp and (ip6 or ip[6:2] & 0x1fff = 0)")
    with path.open("rb") as capture:
        ran = subprocess.run(
            command,
            stdin=capture,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"TZ": zone},
        )
    return ran.stdout.splitlines()


def differences(path: Path) -> list[str]:
    """Where our lines and tcpdump's differ, by option; empty when nowhere."""
    frames = [(time, data) for time, _, data, *_ in CaptureFile(path).records()]
    found = []
    for options, style in STYLES.items():
        theirs, ours = tcpdump(path, options), list(tcpdump_lines(frames, style))
        found += [
            f"{options} line {number}:\n  tcpdump {their}\n  here    {our}"
            for number, (their, our) in enumerate(zip(theirs, ours, strict=False), start=1)
            if their != our
        ]
        if len(theirs) != len(ours):
            found.append(f"{options}: tcpdump prints {len(theirs)} lines, here are {len(ours)}")
    return found


def write(path: Path, frames: list[bytes], most: int = 2000) -> None:
    """A capture of these frames that keeps so many bytes of each."""
    captured = [
        CapturedFrame(TIME + n * 1_000_000_007, "client:eth0", "in", each[:most], len(each))
        for n, each in enumerate(frames)
    ]
    write_pcapng(path, captured)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tcpdump_prints_the_same(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "talk.pcapng"
    write(path, list(islice(Talk(seed).frames(), 500)))
    assert len(tcpdump(path, "-nn")) == 500
    assert not differences(path)


def test_of_frames_that_were_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    whole = [each for each in islice(Talk(4).frames(), 600) if len(each) > 160]
    write(path, whole, most=150)
    assert len(tcpdump(path, "-nnt")) == len(whole) > 50
    assert not differences(path)


def test_in_the_local_time_of_any_zone(tmp_path: Path) -> None:
    path = tmp_path / "talk.pcapng"
    frames = list(islice(Talk(5).frames(), 3))
    write(path, frames)
    printer = TcpdumpPrinter(Style(zone=ZoneInfo(ZONE)))
    times = [TIME + n * 1_000_000_007 for n in range(3)]
    ours = [printer.text(time, frame) for time, frame in zip(times, frames, strict=True)]
    assert ours == tcpdump(path, "-nn", zone=ZONE)
    assert str(ours[0]).startswith("18:43:20.123456 IP")


def test_what_is_no_tcp_is_left_out() -> None:
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    printer = TcpdumpPrinter()
    assert printer.text(TIME, b"") is None
    assert printer.text(TIME, bytes(14)) is None
    assert printer.text(TIME, bytes(link / IP(proto=17) / Raw(bytes(20)))) is None
    assert printer.text(TIME, bytes(link / IP(proto=6) / Raw(bytes(19)))) is None
    assert printer.text(TIME, bytes(link / IP(proto=6, frag=1) / Raw(bytes(40)))) is None
    assert printer.text(TIME, bytes(link / IP(proto=6) / TCP())) is not None


@pytest.mark.parametrize("octet", [0, 1, 13, 15, 22, 25, 33, 38, 45, 46, 48, 52])
def test_the_judge_notices_a_changed_octet(tmp_path: Path, octet: int) -> None:
    """A bit of any field that is printed: another frame's line is not taken for the same."""
    path = tmp_path / "talk.pcapng"
    frames = [bytes(_ordinary())]
    write(path, frames)
    changed = frames[0][:octet] + bytes([frames[0][octet] ^ 1]) + frames[0][octet + 1 :]
    ours = list(tcpdump_lines([(TIME, changed)], Style(verbose=True)))
    assert (ours == tcpdump(path, "-nnv")) is (octet < 12)


def _ordinary() -> Ether:
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return link / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2) / Raw(b"hello")


@pytest.mark.topology(loopback=True, router=True)
def test_over_a_lab(lab: Lab, client: Host, server: Host, tmp_path: Path) -> None:
    """A whole connection, a refused one, one over loopback: each host's capture and all in one."""
    connection = client.connect(server.listen(port=80))
    connection.client.send(b"GET / HTTP/1.0\r\n\r\n")
    connection.server.receives(b"GET / HTTP/1.0\r\n\r\n")
    connection.server.send(bytes(3000))
    connection.client.receives(bytes(3000))
    connection.client.close()
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
    connection.server.reaches(CLOSED)
    own = client.connect(client.listen(port=81))
    own.client.send(b"to myself")
    own.server.receives(b"to myself")
    lab.settle()
    write_folder(lab.timeline, tmp_path)
    captures = sorted(tmp_path.glob("*.pcapng"))
    assert {"client", "router", "server"} <= {each.stem for each in captures}
    for path in captures:
        assert len(tcpdump(path, "-nn")) >= 10
        assert not differences(path)


@over_real_captures
def test_the_folder_has_captures() -> None:
    assert real_captures("*/*.pcapng"), f"{FOLDER} holds no <scenario>/<host>.pcapng"


@over_real_captures
@pytest.mark.parametrize(
    "path", real_captures("*/*.pcapng"), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_over_every_capture(path: Path) -> None:
    assert not differences(path)
