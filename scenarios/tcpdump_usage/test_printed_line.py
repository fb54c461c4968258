"""What a line of tcpdump says, field by field, and what -S, -v and -vv change about it."""

import re
from collections.abc import Callable

import pytest

from scenarios.tcpdump_usage.conftest import AT_ONCE, Tcpdump
from sockstates import ESTABLISHED, Host, Lab, Program

pytestmark = pytest.mark.programs("tcpdump")
LINE = re.compile(
    r"(?P<time>\d\d:\d\d:\d\d\.\d{6}) (?P<protocol>IP6?) (?P<source>\S+) > (?P<destination>\S+): "
    r"Flags \[(?P<flags>\S+)\], seq (?P<seq>\d+), ack (?P<ack>\d+), win (?P<win>\d+), "
    r"options \[(?P<options>\S.*)\], length (?P<length>\d+)"
)


def watching(host: Host, options: str) -> Program:
    """Start tcpdump on eth0 with these options, for three frames at port 80."""
    words = ["tcpdump", *AT_ONCE, "-i", "eth0", "-c", "3", *options.split(), "tcp", "port", "80"]
    program = host.start(words)
    program.prints("listening on")
    return program


def printed(program: Program) -> list[str]:
    """Wait for its end: what it printed, a text for each frame; -v begins some with two lines."""
    program.ends(0)
    return program.output.decode().replace("\n    ", " ").splitlines()


@pytest.mark.claims("T6")
@pytest.mark.cause("server.start", without="-nnS", instead="-nn")
def test_the_fields_of_a_line(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    lab.step("tcpdump watches a handshake, with numbers and not with names.")
    watch = tcpdump(server, "-i eth0 -nnS port 80")
    connection = client.connect(server.listen(port=80))
    connection.server.reaches(ESTABLISHED)

    lab.step("The second segment's line has every field; each says what was on the wire.")
    line = watch.shows()[1]
    fields = LINE.fullmatch(line)
    assert fields is not None
    _, segment, _ = lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1
    """)
    assert fields["source"] == f"{segment.source.ip}.{segment.source.port}"
    assert fields["destination"] == f"{segment.destination.ip}.{segment.destination.port}"
    assert fields["flags"] == segment.flags
    numbers = [int(fields[name]) for name in ("seq", "ack", "win", "length")]
    assert numbers == [segment.sequence, segment.acknowledgement, segment.window, segment.length]
    lab.figure(line)


@pytest.mark.claims("T19")
@pytest.mark.cause("server.start", without="-vv")
def test_the_third_number_shows_with_vv(lab: Lab, client: Host, server: Host) -> None:
    """The third segment is printed without its number, but -vv shows it."""
    lab.step("Two tcpdumps watch a handshake: one as usual, one with -vv.")
    usual, more = watching(server, "-nn"), watching(server, "-nn -vv")
    client.connect(server.listen(port=80)).server.reaches(ESTABLISHED)

    lab.step("The third segment has its number in the second one only.")
    without, complete = printed(usual)[2], printed(more)[2]
    assert "seq" not in without
    assert "Flags [.]" in complete
    assert ", seq 1, ack 1, " in complete
    lab.figure([f"third segment: {without}", f"with -vv: {complete}"])


@pytest.mark.claims("T19", holds=False)
@pytest.mark.cause("server.start", without="-v", instead="-vv")
def test_v_alone_is_not_enough(lab: Lab, client: Host, server: Host) -> None:
    """More detail with -v, or absolute numbers with -S: the third segment's number is not there."""
    lab.step("Two tcpdumps watch a handshake: one with -v, one with -S.")
    detailed, absolute = watching(server, "-nn -v"), watching(server, "-nnS")
    client.connect(server.listen(port=80)).server.reaches(ESTABLISHED)

    lab.step("-v adds the IP header and the checksum, -S counts from the wire's numbers; no seq.")
    with_v, with_s = printed(detailed)[2], printed(absolute)[2]
    *_, segment = lab.sees("...\nclient > server.80: Flags [.], ack K+1")
    assert "(correct)" in with_v
    assert f", ack {segment.acknowledgement}, " in with_s
    assert "seq" not in with_v + with_s
    lab.figure([f"with -v: {with_v}", f"with -S: {with_s}"])
