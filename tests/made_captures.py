"""Captures made up from a seed: connections that lose, repeat, overtake, stall, and begin anew.

Half of them are talks between two ends that act like TCP over a bad network, captured in the
middle; the other half is any segment at any time, close enough to the others to matter.
"""

import heapq
import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MODULUS = 2**32
SCALE = 7
SYN_OPTIONS = bytes([2, 4, 5, 0xB4, 1, 3, 3, SCALE])
MILLISECOND = 1_000_000


@dataclass(order=True)
class Sent:
    """A segment on its way past the capture point."""

    time: int
    source: tuple[bytes, int] = field(compare=False)
    target: tuple[bytes, int] = field(compare=False)
    sequence: int = field(compare=False)
    acknowledgement: int = field(compare=False)
    bits: int = field(compare=False)
    window: int = field(compare=False)
    length: int = field(compare=False)
    options: bytes = field(compare=False, default=b"")

    def frame(self) -> bytes:
        size = 20 + len(self.options)
        tcp = struct.pack("!HH", self.source[1], self.target[1])
        tcp += struct.pack("!II", self.sequence % MODULUS, self.acknowledgement % MODULUS)
        tcp += struct.pack("!HHHH", size // 4 << 12 | self.bits, self.window, 0, 0)
        tcp += self.options + bytes(self.length)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
        return bytes(12) + b"\x08\0" + head + self.source[0] + self.target[0] + tcp


class Talk:
    """Two ends over a bad network: what passes the capture point, which is in its middle."""

    def __init__(self, chance: random.Random, ends: list[tuple[bytes, int]], start: int) -> None:
        self.chance = chance
        self.ends = ends
        self.time = start
        self.next = [chance.choice((5, MODULUS - 3000, chance.randrange(MODULUS))) for _ in ends]
        self.got = [0, 0]
        self.window = [500, 500]
        self.scaled = chance.random() < 0.7
        self.passed: list[Sent] = []
        self.unacknowledged: list[tuple[int, int, int]] = []

    def segment(self, end: int, bits: int, sequence: int, length: int = 0, late: int = 0) -> None:
        """One end sends; now and then nobody sees it, or it is seen twice, or late."""
        if self.chance.random() < 0.04:
            return
        opens = bits & SYN
        acknowledgement = self.got[end] if bits & ACK else 0
        sent = Sent(
            self.time + late,
            self.ends[end],
            self.ends[1 - end],
            sequence,
            acknowledgement,
            bits,
            64240 if opens else self.window[end],
            length,
            SYN_OPTIONS if opens and self.scaled else b"",
        )
        self.passed.append(sent)
        if self.chance.random() < 0.02:
            again = Sent(
                **{**vars(sent), "time": sent.time + self.chance.choice((9000, 9 * MILLISECOND))}
            )
            self.passed.append(again)

    def wait(self) -> None:
        self.time += self.chance.choice(
            (20_000, 20_000, 900_000, 4 * MILLISECOND, 300 * MILLISECOND)
        )

    def hello(self) -> None:
        """The handshake; now and then its SYNs are sent twice."""
        self.segment(0, SYN, self.next[0])
        if self.chance.random() < 0.1:
            self.time += 1000 * MILLISECOND
            self.segment(0, SYN, self.next[0])
        self.got[1] = self.next[0] + 1
        self.wait()
        self.segment(1, SYN | ACK, self.next[1])
        self.got[0] = self.next[1] + 1
        self.next = [each + 1 for each in self.next]
        self.wait()
        self.segment(0, ACK, self.next[0])

    def data(self) -> None:
        """A flight of data from one end, answered by ACKs; with losses, and what follows them."""
        end = self.chance.randrange(2)
        lost: list[tuple[int, int]] = []
        for _ in range(self.chance.randrange(1, 6)):
            length = self.chance.choice((1, 5, 100, 1400))
            if self.chance.random() < 0.15:
                lost.append((self.next[end], length))
                if self.chance.random() < 0.5:  # lost behind the capture point
                    self.segment(end, PSH | ACK, self.next[end], length)
            else:
                late = 400_000 if self.chance.random() < 0.1 else 0
                self.segment(end, PSH | ACK, self.next[end], length, late)
                if not lost:
                    self.got[1 - end] = self.next[end] + length
                self.time += 500_000
                self.segment(1 - end, ACK, self.next[1 - end])
            self.next[end] += length
            self.time += 20_000
        for sequence, length in lost:
            self.wait()
            self.segment(end, PSH | ACK, sequence, length)
        self.got[1 - end] = self.next[end]
        self.wait()
        self.segment(1 - end, ACK, self.next[1 - end])

    def keep_alive(self) -> None:
        end = self.chance.randrange(2)
        self.time += 5000 * MILLISECOND
        self.segment(end, ACK, self.next[end] - 1, self.chance.randrange(2))
        self.time += MILLISECOND
        self.segment(1 - end, ACK, self.next[1 - end])

    def stall(self) -> None:
        """One end closes its window, is probed, and opens it."""
        end = self.chance.randrange(2)
        room = self.window[1 - end] << (SCALE if self.scaled else 0)
        if room:
            self.segment(end, PSH | ACK, self.next[end], min(room, 1400))
            self.next[end] += min(room, 1400)
        self.got[1 - end] = self.next[end]
        self.window[1 - end] = 0
        self.segment(1 - end, ACK, self.next[1 - end])
        for _ in range(self.chance.randrange(3)):
            self.time += 200 * MILLISECOND
            probe = self.chance.choice(((-1, 0), (0, 1)))
            self.segment(end, ACK, self.next[end] + probe[0], probe[1])
            self.time += MILLISECOND
            self.segment(1 - end, ACK, self.next[1 - end])
        self.window[1 - end] = self.chance.choice((1, 10, 500))
        self.segment(1 - end, ACK, self.next[1 - end])

    def goodbye(self) -> None:
        end = self.chance.randrange(2)
        if self.chance.random() < 0.3:
            self.segment(end, RST | ACK, self.next[end])
            return
        for each in (end, 1 - end):
            self.segment(each, FIN | ACK, self.next[each])
            if self.chance.random() < 0.1:
                self.time += 210 * MILLISECOND
                self.segment(each, FIN | ACK, self.next[each])
            self.next[each] += 1
            self.got[1 - each] = self.next[each]
            self.wait()
            self.segment(1 - each, ACK, self.next[1 - each])

    def whole(self) -> list[Sent]:
        """The talk, as long as chance has it; sometimes begun before the capture, or twice."""
        if self.chance.random() < 0.8:
            self.hello()
        else:
            self.got = self.next[::-1]
        for _ in range(self.chance.randrange(8)):
            self.chance.choice((self.data, self.data, self.data, self.keep_alive, self.stall))()
            self.wait()
        if self.chance.random() < 0.8:
            self.goodbye()
        return self.passed


def chaos(chance: random.Random, ends: list[tuple[bytes, int]], start: int) -> list[Sent]:
    """Any segment at any time, with numbers that meet."""
    bases = [chance.choice((1, 7000, MODULUS - 20)) for _ in ends]
    steps = (0, 0, 1, 1, 2, 5, 6, 100)
    found = []
    for _ in range(chance.randrange(1, 25)):
        start += chance.choice(
            (1000, 100_000, 2 * MILLISECOND, 15 * MILLISECOND, 700 * MILLISECOND)
        )
        end = chance.randrange(2)
        bits = chance.choice((ACK,) * 12 + (PSH | ACK, FIN | ACK, SYN, SYN | ACK, RST, RST | ACK))
        found.append(
            Sent(
                start,
                ends[end],
                ends[1 - end],
                bases[end] + chance.choice(steps),
                bases[1 - end] + chance.choice(steps) if bits & ACK else 0,
                bits,
                chance.choice((0, 1, 5, 5, 5)),
                0 if bits & (SYN | FIN | RST) else chance.choice((0, 0, 0, 1, 1, 5, 94)),
                SYN_OPTIONS if bits & SYN and chance.random() < 0.5 else b"",
            )
        )
    return found


def made(seed: int, connections: int = 100) -> Iterator[Sent]:
    """The segments of so many connections, by time; ports are sometimes used again."""
    chance = random.Random(seed)
    talks = []
    start = 1_700_000_000_000_000_000
    for number in range(connections):
        port = 1000 + chance.choice((number, number, number, number // 2))
        ends = [(bytes([10, 0, 0, 1]), port), (bytes([10, 0, 0, 2]), 80)]
        start += 3 * MILLISECOND
        if number % 2:
            talks.append(sorted(Talk(chance, ends, start + number * 10**10).whole()))
        else:
            talks.append(chaos(chance, ends, start))
    return heapq.merge(*talks)


def write_pcap(path: Path, segments: Iterator[Sent]) -> None:
    """A pcap file with nanoseconds."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for each in segments:
            octets = each.frame()
            moment = divmod(each.time, 10**9)
            file.write(struct.pack("<IIII", *moment, len(octets), len(octets)) + octets)


Stamped = tuple[int, bytes]
"""When a frame was captured (microseconds), and the frame."""


def write_stamped(path: Path, frames: Iterable[Stamped], link: int = 1, snaplen: int = 0) -> Path:
    """A pcap file of these frames, in the order given. snaplen: cut after so many bytes."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen or 262144, link))
        for time, each in frames:
            kept = each[:snaplen] if snaplen else each
            moment = divmod(1_700_000_000_000_000 + time, 1_000_000)
            file.write(struct.pack("<IIII", *moment, len(kept), len(each)) + kept)
    return path
