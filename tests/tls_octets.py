"""TLS records and handshake messages written by hand, and a connection that carries them."""

import struct
from collections.abc import Sequence

from sockstates.record.events import Step
from sockstates.record.timeline import Timeline
from tests.recorded import Written, at, empty_timeline, sends

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 4443)
CLIENT_RANDOM, SERVER_RANDOM = bytes(range(32)), bytes(range(32, 64))
VERSION = b"\x03\x03"
RSA_SUITE = 0x003C


def vector(size: int, content: bytes) -> bytes:
    """Content behind its length."""
    return len(content).to_bytes(size, "big") + content


def record(kind: int, fragment: bytes, version: bytes = VERSION) -> bytes:
    return bytes([kind]) + version + vector(2, fragment)


def message(kind: int, body: bytes = b"") -> bytes:
    return bytes([kind]) + vector(3, body)


def extensions(content: dict[int, bytes]) -> bytes:
    listed = (struct.pack("!H", kind) + vector(2, each) for kind, each in content.items())
    return vector(2, b"".join(listed)) if content else b""


def client_hello(
    suites: Sequence[int] = (RSA_SUITE,), offers: dict[int, bytes] | None = None
) -> bytes:
    listed = vector(2, struct.pack(f"!{len(suites)}H", *suites))
    body = VERSION + CLIENT_RANDOM + vector(1, b"") + listed + vector(1, b"\0")
    return message(1, body + extensions(offers or {}))


def server_hello(
    suite: int = RSA_SUITE, answers: dict[int, bytes] | None = None, random: bytes = SERVER_RANDOM
) -> bytes:
    body = VERSION + random + vector(1, b"") + struct.pack("!HB", suite, 0)
    return message(2, body + extensions(answers or {}))


def certificates(*each: bytes) -> bytes:
    return message(11, vector(3, b"".join(vector(3, one) for one in each)))


HELLO = record(22, client_hello(), b"\x03\x01")
FLIGHT = (
    record(22, server_hello())
    + record(22, certificates(b"the server's" * 30, b"its issuer's" * 60))
    + record(22, message(13))
    + record(22, message(14))
)
KEY_EXCHANGE = record(22, message(16, vector(2, b"p" * 256)))
FINISHED = record(20, b"\x01") + record(22, b"f" * 64)


def rsa_handshake() -> list[tuple[bool, bytes]]:
    """Whether the client says it, and what: until both have finished."""
    return [(True, HELLO), (False, FLIGHT), (True, KEY_EXCHANGE + FINISHED), (False, FINISHED)]


def tls_story() -> Timeline:
    """A handshake whose first flight gets lost once, data, and the end; 80 columns hold it."""
    made = empty_timeline()
    made.title = "TLS with a ClientHello that gets lost."
    made.add(Step(at(0), "A connection is established."))
    sends(made, 0.001, CLIENT, SERVER, Written("S", 1000))
    sends(made, 0.002, SERVER, CLIENT, Written("S.", 5000, 1001))
    sends(made, 0.003, CLIENT, SERVER, Written(".", 1001, 5001))
    made.add(Step(at(0.004), "TLS begins."))
    following, seconds = {True: 1001, False: 5001}, 0.005
    lost = Written("P.", 1001, 5001, HELLO)
    sends(made, seconds, CLIENT, SERVER, lost, seen_at=())
    data = [
        (True, record(23, b"d" * 700)),
        (False, record(23, b"a" * 2000) + record(21, b"e" * 64)),
    ]
    for from_client, octets in [*rsa_handshake(), *data]:
        ends = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
        for place in range(0, len(octets), 1000):
            seconds += 0.001
            payload = octets[place : place + 1000]
            here, there = following[from_client], following[not from_client]
            sends(made, seconds, *ends, Written("P.", here, there, payload))
            following[from_client] = here + len(payload)
    return made
