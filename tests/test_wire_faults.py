"""What the words of a wire do: which segments, in which order, how often, and what is refused."""

import sys
from typing import Any

import pytest

from sockstates import ESTABLISHED, SYN_SENT, Connection, Host, Lab, LabError, Segment, Wire
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.record.events import RuleChanged
from sockstates.record.kernel_events import WireActed
from sockstates.report.delivery import dropping_rules, lost_segments
from sockstates.report.text import text_timeline
from sockstates.tcp.segment import distance

FULL = {"ipv4": 1448, "ipv6": 1428}
"""Octets of a full segment: an MTU of 1500 without 40 or 60 of headers and 12 of timestamps."""
DATA = "client > server: Flags [P.]"


@pytest.fixture
def connection(client: Host, server: Host, wire: Wire) -> Connection:
    """A connection over the wire that sends each message at once, and no tail loss probes.

    With two segments under way the client would send the last one again after 10 ms
    (tcp_schedule_loss_probe() in net/ipv4/tcp_output.c), and where many tests run at once the
    wire can wait longer than that for a processor.
    """
    assert not wire.lab.timeline.unsound
    client.sysctl("net.ipv4.tcp_early_retrans", 0)
    made = client.connect(server.listen(port=5000))
    made.client.reaches(ESTABLISHED)
    made.server.reaches(ESTABLISHED)
    made.client.set_option(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
    return made


ROUTE = """
import socket, sys
from pyroute2 import IPRoute
RTAX_RTO_MIN = 13  # linux/rtnetlink.h; the kernel heeds it where it is locked
with IPRoute() as route:
    route.route(
        "add",
        dst=sys.argv[1],
        oif=socket.if_nametoindex("eth0"),
        metrics={"lock": 1 << RTAX_RTO_MIN, "rto_min": 60_000},
    )
"""


@pytest.fixture
def steady(client: Host, server: Host) -> None:
    """For connections of later: nothing is sent a second time within the minute.

    The client would after 200 ms (TCP_RTO_MIN), and where many tests run at once the wire can wait
    longer than that for a processor. A route's rto_min every kernel has; ip-route(8).
    """
    client.start([sys.executable, "-c", ROUTE, server.address]).ends(0)


def acts(lab: Lab) -> list[tuple[str, int]]:
    """What was done to how many bytes, in order."""
    lab.settle()
    return [
        (each.action, each.length) for each in lab.timeline.events if isinstance(each, WireActed)
    ]


def loses_nothing(lab: Lab) -> bool:
    """An acknowledgement of just now may still be in the wire: what is to arrive is waited for."""

    def arrived() -> bool:
        lab.settle()
        return not lost_segments(lab.timeline)

    return lab.wait_until(arrived, "the last segments to arrive", None)


def came(lab: Lab, connection: Connection) -> list[Segment]:
    """The data segments that the server's interface took in."""
    lab.settle()
    return [
        each
        for each in lab.timeline.arrived["server"]
        if each.length and each.source == connection.client.local
    ]


def test_the_second_waits_until_the_fourth_has_passed(
    lab: Lab, connection: Connection, wire: Wire
) -> None:
    full = FULL[lab.family]
    held = wire.hold(f"client > server: Flags [_], length {full}", number=2, until=4)
    connection.client.send(b"x" * 5 * full)
    connection.server.receives(b"x" * 5 * full)
    (segment,) = held.meets()
    first, *others = came(lab, connection)[:5]
    steps = [distance(first.sequence, each.sequence) // full for each in others]
    assert (steps, held.count) == ([2, 3, 1, 4], 1)
    assert acts(lab) == [("held", full), ("released", full)]
    changes = [each.change for each in lab.timeline.events if isinstance(each, RuleChanged)]
    assert changes == ["applied", "released"], "it is over by itself"
    assert segment not in lost_segments(lab.timeline)


def test_until_another_segment_has_passed(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    held = wire.hold("client > server: Flags [.]", until=DATA)
    connection = client.connect(server.listen(port=5000))
    connection.client.reaches(ESTABLISHED)
    held.meets()
    connection.client.send(b"hello")
    connection.server.receives(b"hello")
    # The server repeats its SYN,ACK after a second: then there is more than one ACK to be held.
    told = acts(lab)
    half = len(told) // 2
    assert told == [("held", 0)] * half + [("released", 0)] * half != []
    sent = [each for each in lab.timeline.arrived["server"] if each.source.port != 5000]
    assert list(dict.fromkeys(each.flags for each in sent)) == ["S", "P.", "."]


def test_held_to_the_end_is_said(lab: Lab, connection: Connection, wire: Wire) -> None:
    held = wire.hold(DATA, number=1)
    connection.client.send(b"never")
    (segment,) = held.meets()
    connection.server.receives(b"never")
    lab.settle()
    assert lost_segments(lab.timeline)[segment] == "wire"
    assert dropping_rules(lab.timeline)[segment] == f"hold {DATA} (number 1)"
    assert "held client" in text_timeline(lab.timeline)


def test_a_delay_lets_others_overtake(lab: Lab, connection: Connection, wire: Wire) -> None:
    """Both segments are of one send: nobody has to be given a processor between them."""
    full = FULL[lab.family]
    late = wire.delay(f"client > server: Flags [_], length {full}", seconds=0.1, number=1)
    connection.client.send(b"x" * (full + 1))
    connection.server.receives(b"x" * (full + 1))
    lengths = [each.length for each in came(lab, connection)]
    assert list(dict.fromkeys(lengths)) == [1, full], "however often the client sends it again"

    def acted() -> list[WireActed]:
        return [each for each in lab.timeline.events if isinstance(each, WireActed)]

    # The client has sent it again long before: what came after it was acknowledged.
    assert lab.wait_until(lambda: len(acted()) == 2, "the delayed segment to go on", None)
    delayed, released = acted()
    assert released.time - delayed.time >= 100_000_000, "never early"
    assert late.count == 1


@pytest.mark.usefixtures("steady")
def test_copies_come_right_behind(lab: Lab, connection: Connection, wire: Wire) -> None:
    twice = wire.duplicate(DATA, copies=2, every=2)
    for length in (1, 2, 3, 4):
        connection.client.send(b"x" * length)
    connection.server.receives(b"x" * 10)
    assert [each.length for each in came(lab, connection)] == [1, 2, 2, 2, 3, 4, 4, 4]
    assert [each.length for each in twice.segments] == [2, 4]
    assert loses_nothing(lab)


@pytest.mark.parametrize("where", ["payload", "header"])
def test_damage_is_noticed(lab: Lab, connection: Connection, wire: Wire, where: str) -> None:
    wire.corrupt(DATA, where=where, number=1)
    connection.client.send(b"hello")
    connection.server.receives(b"hello")
    damaged, *_ = came(lab, connection)
    assert lab.timeline.unsound == {damaged}
    assert "wrong checksum" in dropping_rules(lab.timeline).values()
    assert lab.doubt() is None, "no witness is contradicted by it"


@pytest.mark.usefixtures("steady")
def test_damage_with_a_right_checksum_is_not(lab: Lab, connection: Connection, wire: Wire) -> None:
    wire.corrupt(DATA, fix_checksum=True)
    connection.client.send(b"hello")
    connection.server.receives(b"helln")
    assert acts(lab) == [("rewritten", 5)]
    assert loses_nothing(lab)


def test_rewriting_is_believed(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    wire.rewrite("client > server: Flags [S]", mss=600, without=["sackOK", "TS"])
    connection = client.connect(server.listen(port=5000))
    connection.server.reaches(ESTABLISHED)
    connection.server.send(b"x" * 2000)
    connection.client.receives(b"x" * 2000)
    answer = lab.sees("server > client: Flags [S.]")[0]
    assert answer.option("sackOK") is None
    assert max(each.length for each in lab.timeline.wire) == 600
    assert loses_nothing(lab)


def test_a_deleted_fault_lets_through(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    dropped = wire.drop("client > server: Flags [S]")
    connection = client.connect(server.listen(port=5000))
    connection.client.reaches(SYN_SENT)
    first, *_ = dropped.meets()  # the client sends another one after a second
    dropped.delete()
    connection.client.reaches(ESTABLISHED)
    assert lost_segments(lab.timeline)[first] == "wire"
    assert "deleted" in text_timeline(lab.timeline)


def test_letters_stand_for_what_they_were_bound_to(
    lab: Lab, connection: Connection, wire: Wire
) -> None:
    lab.sees("client > server: Flags [S], seq J")
    dropped = wire.drop("client > server: Flags [_], seq J+2", number=1)
    connection.client.send(b"1")
    connection.client.send(b"2")
    assert [each.payload for each in dropped.meets()] == [b"2"]


@pytest.mark.usefixtures("steady")
def test_the_first_fault_that_chooses_a_segment_has_it(connection: Connection, wire: Wire) -> None:
    first, second = wire.duplicate(DATA, number=1), wire.duplicate(DATA)
    connection.client.send(b"1")
    connection.client.send(b"2")
    connection.server.receives(b"12")
    assert (first.count, second.count) == (1, 1)


def test_what_does_not_come_is_said(wire: Wire) -> None:
    with pytest.raises(
        ExpectationFailed, match="did not see the segments that this fault is for: drop client"
    ):
        wire.drop("client > server: Flags [R]").meets(seconds=0.2)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("drop", {"which": "client > server"}, "Flags"),
    ("drop", {"which": f"{DATA}\n{DATA}"}, "one line of tcpdump's notation"),
    ("drop", {"which": "cleint > server: Flags [S]"}, "Did you mean client"),
    ("drop", {"which": DATA, "number": 0}, "number=0; it must be 1 or more"),
    ("drop", {"which": DATA, "number": 1, "every": 2}, "not both"),
    ("hold", {"which": DATA, "number": 3, "until": 3}, "not behind number 3"),
    ("delay", {"which": DATA, "seconds": 0}, "more than 0"),
    ("duplicate", {"which": DATA, "copies": 0}, "copies=0; it must be 1 or more"),
    ("corrupt", {"which": DATA, "where": "tail"}, "one of payload, header"),
    ("rewrite", {"which": DATA}, "rewrite what"),
    ("rewrite", {"which": DATA, "color": 1}, "there is no 'color', only sequence"),
    ("rewrite", {"which": DATA, "window": 70000}, "a number from 0 to 65535"),
    ("rewrite", {"which": DATA, "flags": "X"}, "the letters are tcpdump's"),
    ("rewrite", {"which": DATA, "without": "ttl"}, "it takes out mss, wscale"),
]


def test_what_is_not_understood_is_refused_with_what_is(lab: Lab, wire: Wire) -> None:
    for verb, arguments, words in WRONG:
        with pytest.raises(LabError, match=words):
            getattr(wire, verb)(**arguments)
    lab.settle()
    assert not acts(lab)


def test_a_lab_without_a_wire_has_none(lab: Lab) -> None:
    with pytest.raises(LabError, match="no wire between its hosts"):
        assert lab.wire
