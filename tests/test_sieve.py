"""A wire's sieve takes exactly the frames that the line matches, as scapy reads them."""

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.matching import Match, match, places_of
from sockstates.tcp.notation import parse_pattern
from sockstates.tcp.pattern import Line
from sockstates.tcp.sieve import Sieve

HOSTS = {"client": ("10.0.0.1", "fd00::1"), "server": ("10.0.0.2", "fd00::2")}
BINDINGS = {"J": 2**32 - 2}
PORTS, NUMBERS, WINDOWS, LENGTHS = (80, 4242), (0, 5, 2**32 - 1), (0, 500), (0, 1, 11, 12, 1448)
FLAGS = ("S", "S.", ".", "P.", "F.", "R", "none", "U.", "SEW")
OPTIONS: tuple[list[tuple[str, object]], ...] = (
    [],
    [("MSS", 1460), ("SAckOK", b"")],
    [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))],
)
BITS = {".": "A", "W": "C", "none": ""}


def link() -> Packet:
    """Addresses are named, or scapy asks the machine's network for them."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame with a TCP segment, sometimes with what moves it, sometimes cut or damaged."""
    version = draw(st.sampled_from((0, 0, 1)))
    source, destination = draw(st.permutations([each[version] for each in HOSTS.values()]))
    flags = draw(st.sampled_from(FLAGS))
    segment = TCP(
        sport=draw(st.sampled_from(PORTS)),
        dport=draw(st.sampled_from(PORTS)),
        seq=draw(st.sampled_from(NUMBERS)),
        ack=draw(st.sampled_from(NUMBERS)),
        window=draw(st.sampled_from(WINDOWS)),
        flags="" if flags == "none" else "".join(BITS.get(each, each) for each in flags),
        options=draw(st.sampled_from(OPTIONS)),
        reserved=draw(st.sampled_from((0, 0, 0, 1, 6))),
    )
    moved = draw(st.sampled_from((0, 0, 0, 1)))
    if version == 0:
        packet = IP(src=source, dst=destination, options=b"\1\1\1\1" * moved)
        packet.frag = draw(st.sampled_from((0, 0, 0, 0, 185)))
    else:
        packet = IPv6(src=source, dst=destination)
        packet = packet / IPv6ExtHdrDestOpt() if moved else packet
    tag = link() / Dot1Q(vlan=7) if draw(st.sampled_from((0, 0, 0, 0, 1))) else link()
    data = Raw(b"\x0a" * draw(st.sampled_from(LENGTHS)))
    return spoilt(draw, bytes(tag / packet / segment / data))


def spoilt(draw: st.DrawFn, frame: bytes) -> bytes:
    """The frame; or cut off, with one byte of its headers changed, or with more behind it."""
    kind = draw(st.sampled_from(("as it is",) * 4 + ("cut", "changed", "longer")))
    at = draw(st.integers(0, min(len(frame), 80) - 1))
    if kind == "cut":
        return frame[:at]
    if kind == "changed":
        return frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
    return frame + bytes(6) if kind == "longer" else frame


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line about one of those segments, or about many of them."""

    def maybe(text: str, values: tuple[object, ...]) -> str:
        value = draw(st.sampled_from((None, None, *values)))
        return "" if value is None else f"{text}{value}"

    ends = draw(st.permutations(("client", "server", "10.0.0.1")))
    parts = [
        f"{ends[0]}{maybe('.', PORTS)} > {ends[1]}{maybe('.', PORTS)}: "
        f"Flags [{draw(st.sampled_from(('_', '_', *FLAGS)))}]",
        maybe("seq ", (*NUMBERS, "J+1", "K")),
        maybe("ack ", (*NUMBERS, "J+2", "_")),
        maybe("win ", WINDOWS),
        maybe("options ", ("[]", "[mss 1460]", "[TS _]")),
        maybe("length ", (*LENGTHS, "L")),
    ]
    return ", ".join(filter(None, parts))


def is_matched(line: Line, frame: bytes) -> bool:
    """What scapy and the matcher say."""
    try:
        segment = dissect(frame, 0)
    except Malformed:
        return False
    return segment is not None and isinstance(match((line,), (segment,), BINDINGS, HOSTS), Match)


@settings(max_examples=600, deadline=None)
@given(lines(), frames())
def test_takes_what_the_matcher_takes(text: str, frame: bytes) -> None:
    (line,) = parse_pattern(text)
    assert isinstance(line, Line)
    sieve = Sieve(line, places_of((line,), HOSTS), BINDINGS)
    assert sieve.takes(frame) == is_matched(line, frame), (text, frame.hex())


def test_each_thing_that_a_line_says_is_looked_at() -> None:
    """One segment, the line that says all of it, and lines that say one thing otherwise."""
    for version in (0, 1):
        source, destination = (ip_address(each[version]) for each in HOSTS.values())
        network = (IP if version == 0 else IPv6)(src=str(source), dst=str(destination))
        segment = TCP(sport=4242, dport=80, seq=5, ack=6, window=500, flags="PA")
        frame = bytes(link() / network / segment / Raw(b"hello\n"))
        whole = "client.4242 > server.80: Flags [P.], seq 5, ack 6, win 500, length 6"
        assert takes(whole, frame)
        for right, wrong in (
            ("client.4242", "server.4242"),
            ("4242", "4243"),
            (".80", ".81"),
            ("[P.]", "[F.]"),
            ("seq 5", "seq 6"),
            ("ack 6", "ack 5"),
            ("win 500", "win 501"),
            ("length 6", "length 5"),
        ):
            assert not takes(whole.replace(right, wrong), frame), wrong


def takes(text: str, frame: bytes) -> bool:
    (line,) = parse_pattern(text)
    assert isinstance(line, Line)
    return Sieve(line, places_of((line,), HOSTS), {}).takes(frame)
