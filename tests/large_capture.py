"""Makes a large capture: many connections at once, most of what they say ordinary, some of it not.

``python -m tests.large_capture FILE PACKETS`` writes it; nothing is kept in memory.
"""

import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

AT_ONCE = 50
SEGMENTS = 500
"""Of each connection, from its SYN to its last ACK."""
MICROSECONDS = 40
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SYN_OPTIONS = bytes([2, 4, 5, 0xB4, 4, 2, 1, 3, 3, 7, 1, 1])
TIMESTAMPS = bytes([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1])
HEAD = struct.Struct("!12xHBBHHHBBH4s4sHHIIHHHH")
Said = tuple[bool, int, int, int, int]
"""From the client or not, flags, sequence, acknowledgement, bytes of payload."""


def talk(chance: random.Random) -> Iterator[Said]:
    """One connection: a request and its answer repeated, with some losses."""
    mine, other = chance.getrandbits(31), chance.getrandbits(31)
    yield True, SYN, mine, 0, 0
    yield False, SYN | ACK, other, mine + 1, 0
    yield True, ACK, mine + 1, other + 1, 0
    mine, other = mine + 1, other + 1
    for _ in range((SEGMENTS - 7) // 4):
        luck = chance.random()
        yield True, PSH | ACK, mine, other, 120
        if luck < 0.02:
            yield True, PSH | ACK, mine, other, 120
        mine += 120
        yield False, ACK, other, mine, 0
        if luck > 0.98:
            yield False, ACK, other, mine, 0
        if luck < 0.98:
            yield False, PSH | ACK, other, mine, 400
        other += 400
        yield True, ACK, mine, other, 0
    yield True, FIN | ACK, mine, other, 0
    yield False, ACK, other, mine + 1, 0
    yield False, FIN | ACK, other, mine + 1, 0
    yield True, ACK, mine + 1, other + 1, 0


def frame(number: int, said: Said) -> bytes:
    """The Ethernet frame of a segment of connection `number`."""
    from_client, bits, sequence, acknowledgement, length = said
    client = struct.pack("!I", 0x0A000001 + number // 20000), 10000 + number % 20000
    server = b"\x0a\x01\x00\x01", 443
    source, target = (client, server) if from_client else (server, client)
    options = SYN_OPTIONS if bits & SYN else TIMESTAMPS
    size = 20 + len(options)
    return (
        HEAD.pack(
            *(0x0800, 0x45, 0, 20 + size + length, 0, 0, 64, 6, 0, source[0], target[0]),
            *(source[1], target[1], sequence & 0xFFFFFFFF, acknowledgement & 0xFFFFFFFF),
            *(size // 4 << 12 | bits, 501, 0, 0),
        )
        + options
        + bytes(length)
    )


def write(path: Path, packets: int, seed: int = 1) -> None:
    """Write a pcap file of so many packets."""
    chance = random.Random(seed)
    talks = [(number, talk(chance)) for number in range(AT_ONCE)]
    begun, time = AT_ONCE, 1_700_000_000_000_000
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for _ in range(packets):
            index = chance.randrange(AT_ONCE)
            said = next(talks[index][1], None)
            if said is None:
                talks[index] = begun, talk(chance)
                begun += 1
                said = next(talks[index][1])
            octets = frame(talks[index][0], said)
            time += MICROSECONDS
            moment = divmod(time, 1_000_000)
            file.write(struct.pack("<IIII", *moment, len(octets), len(octets)) + octets)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
