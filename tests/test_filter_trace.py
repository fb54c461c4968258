"""The filter's own trace in real hosts: each segment that a rule ends, and nothing else."""

import sys

import pytest

from sockstates import ESTABLISHED, SYN_SENT, Connection, Host, Lab
from sockstates.evidence.decisions import decided_segments
from sockstates.record.events import RuleChanged
from sockstates.record.kernel_events import FilterDecided, RecordsLost, WitnessJoined
from sockstates.sandbox.rules import parse
from sockstates.sandbox.rules.watching import TRACED_A_SECOND, TRACED_AT_ONCE
from sockstates.sandbox.witnesses.filter_trace import chain_that_ends, goes_on
from sockstates.sandbox.witnesses.netlink_attributes import messages
from sockstates.sandbox.witnesses.trace_messages import drops, headers

SEND_FLOOD = f"""
import errno, os, socket, struct, sys, time
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
sent, begun = 0, time.monotonic()
while sent < 2 * ({TRACED_AT_ONCE} + {TRACED_A_SECOND} * (time.monotonic() - begun)):
    segment = struct.pack("!HHIIBBHHH", 1024, 9, sent, 0, 80, 2, 99, 0, 0)
    try:
        sent += raw.sendto(segment, (sys.argv[1], 0)) > 0
    except OSError as error:
        if error.errno != errno.ENOBUFS:  # the other end is behind: netdev_max_backlog
            raise
        os.sched_yield()
print(sent)
"""
"""Twice as many as may be traced in the time that it takes, however long that is."""


def _connected(client: Host, server: Host) -> Connection:
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    return connection


def _decided(lab: Lab) -> list[FilterDecided]:
    lab.settle()
    return [each for each in lab.timeline.events if isinstance(each, FilterDecided)]


def _sends_no_more(client: Host) -> None:
    """Its segments end on its own host from now on: those that were under way have arrived.

    What counts, traces and captures is asked one after the other, and the client sends again and
    again; nobody knows what it sends between two questions.
    """
    client.iptables("-A OUTPUT -j DROP")


def _not_traced(lab: Lab) -> int:
    return sum(each.count for each in lab.timeline.events if isinstance(each, RecordsLost))


def test_a_drop_on_input_is_told_with_its_segment(lab: Lab, client: Host, server: Host) -> None:
    connection = _connected(client, server)
    rule = server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"123")
    lab.sees("""
        ...
        client > server: Flags [P.], seq J, length 3
        client > server: Flags [P.], seq J, length 3
    """)
    rule.delete()
    decided = _decided(lab)
    assert len(decided) == rule.packets
    assert {(each.host, each.chain, each.verdict) for each in decided} == {
        ("server", "INPUT", "drop")
    }
    assert {each.line for each in decided} == {rule.line}
    segments = decided_segments(lab.timeline)
    assert list(segments.values()) == decided
    dropped = [each for each in lab.timeline.wire if each.length == 3][: len(decided)]
    # Equal segments that were dropped before the host could read are told of latest first.
    assert sorted(segments, key=lambda each: each.time) == dropped
    assert all(each.time < event.time for each, event in segments.items())


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("-A OUTPUT -p tcp --dport 16868 -j DROP", "drop"),
        ("-A OUTPUT -p tcp -j REJECT", "reject"),
        ("-P OUTPUT DROP", "drop"),
    ],
)
def test_what_is_dropped_on_output_is_told_though_it_was_never_on_the_wire(
    lab: Lab, client: Host, server: Host, line: str, verdict: str
) -> None:
    listener = server.listen(port=16868)
    client.iptables(line)
    connection = client.connect(listener)
    assert lab.wait_until(lambda: bool(_decided(lab)), "the decision about its SYN", None)
    first = _decided(lab)[0]
    assert (first.chain, first.line, first.verdict) == ("OUTPUT", line, verdict)
    assert (first.flags, first.acknowledgement, first.length) == ("S", None, 0)
    assert (first.source, first.destination) == (connection.client.local, connection.client.remote)
    assert not lab.timeline.wire
    assert not decided_segments(lab.timeline)
    if verdict == "reject":
        connection.client.connecting.wait()
        connection.client.connecting.judged = True


def test_a_router_tells_what_it_keeps_from_passing(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    connection = _connected(client, server)
    router.iptables("-A FORWARD -p tcp -d client -j DROP")
    connection.client.send(b"123")
    lab.sees("...\nserver > client: Flags [.], ack J+3")
    lab.sees("...\nclient > server: Flags [P.], length 3")
    decided = _decided(lab)
    assert {(each.host, each.chain) for each in decided} == {("router", "FORWARD")}
    assert {each.source for each in decided} == {connection.server.local}


def test_the_headers_are_known_also_behind_rules_that_only_count(
    lab: Lab, client: Host, server: Host
) -> None:
    listener = server.listen(port=16868)
    server.iptables("-A INPUT -p tcp -m comment --comment passing")
    last = server.iptables("-A INPUT -p tcp -j DROP")
    server.iptables("-I INPUT -p tcp")
    client.connect(listener).client.reaches(SYN_SENT)
    lab.sees("client > server: Flags [S]\nclient > server: Flags [S]")
    last.delete()  # what it counted is final
    decided = _decided(lab)
    assert [(each.line, each.flags) for each in decided] == [(last.line, "S")] * last.packets
    assert not _not_traced(lab)


def test_a_policy_has_its_line(lab: Lab, client: Host, server: Host) -> None:
    connection = _connected(client, server)
    server.iptables("-A INPUT -p tcp --dport 1 -j DROP")
    server.iptables("-P INPUT DROP")
    connection.client.send(b"123")
    lab.sees("...\nclient > server: Flags [P.]\nclient > server: Flags [P.]")
    assert {each.line for each in _decided(lab)} == {"-P INPUT DROP"}
    known = len(_decided(lab))
    server.iptables("-P INPUT ACCEPT")
    connection.server.receives(b"123")
    again = _decided(lab)
    assert all(each.line == "-P INPUT DROP" for each in again[known:])


def test_a_rule_that_was_suspended_is_told_again_when_it_is_back(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = _connected(client, server)
    rule = server.iptables("-A INPUT -p tcp -j DROP")
    rule.suspend()
    connection.client.send(b"1")
    connection.server.receives(b"1")
    assert not _decided(lab)
    rule.resume()
    connection.client.send(b"2")
    lab.sees("...\nclient > server: Flags [P.], seq J\nclient > server: Flags [P.], seq J")
    assert {each.line for each in _decided(lab)} == {rule.line}


@pytest.mark.families("ipv4")
def test_the_rules_read_and_count_as_if_nobody_watched(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = _connected(client, server)
    rule = server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"1")
    lab.sees("...\nclient > server: Flags [P.], seq J\nclient > server: Flags [P.], seq J")
    listed = server.agent.rules.listing(4)
    assert listed[-1] == f"-A INPUT -s {client.address}/32 -j DROP"
    assert len(listed) == 4
    _sends_no_more(client)
    decided = [each for each in _decided(lab) if each.host == "server"]
    arrived = [
        each for each in lab.timeline.arrived["server"] if each.length == 1 and each.has("P")
    ]
    assert rule.packets == len(arrived) == len(decided)


@pytest.mark.families("ipv4")
def test_at_the_end_counter_trace_and_capture_are_there_and_agree(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = _connected(client, server)
    rule = server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"1")
    lab.sees("...\nclient > server: Flags [P.], seq J\nclient > server: Flags [P.], seq J")
    _sends_no_more(client)
    lab.finish()
    (counted,) = [
        each
        for each in lab.timeline.events
        if isinstance(each, RuleChanged) and each.change == "counted" and each.host == "server"
    ]
    assert counted.line == rule.line
    segments = decided_segments(lab.timeline)
    assert all(segments[each].time < counted.time for each in segments)
    assert 2 <= counted.packets == len(segments)


@pytest.mark.families("ipv4")
def test_nobody_traces_where_no_rule_ends_a_segment(lab: Lab, server: Host) -> None:
    for line in ("-A INPUT -p tcp", "-A INPUT -p udp -j DROP", "-A INPUT -p tcp -j ACCEPT"):
        server.iptables(line)
    lab.settle()
    assert not any(
        isinstance(each, WitnessJoined) and each.witness == "filter trace"
        for each in lab.timeline.events
    )
    server.iptables("-A INPUT -j DROP")
    lab.settle()
    assert lab.timeline.joined("filter trace", "server")


@pytest.mark.families("ipv4")
def test_a_flood_is_traced_in_part_and_the_rest_is_counted(
    lab: Lab, client: Host, server: Host
) -> None:
    """Raw SYNs, as many as can be; what was not traced and what was make up what was dropped."""
    rule = server.iptables("-A INPUT -p tcp -j DROP")
    program = client.start([sys.executable, "-c", SEND_FLOOD, server.address])
    program.ends(0)
    flood = int(program.output)
    lab.wait_until(lambda: rule.packets >= flood, "the flood to be dropped", None)
    traced, untraced = len(_decided(lab)), _not_traced(lab)
    assert rule.packets == flood
    assert TRACED_AT_ONCE / 4 < traced < flood
    assert traced + untraced >= flood - 2
    assert not [
        each for each in lab.timeline.events if isinstance(each, FilterDecided) and not each.line
    ]


@pytest.mark.parametrize(
    ("line", "chain"),
    [
        ("-A INPUT -j DROP", "INPUT"),
        ("-I FORWARD -p tcp -j REJECT --reject-with tcp-reset", "FORWARD"),
        ("-A OUTPUT ! -p udp -j DROP", "OUTPUT"),
        ("-P OUTPUT DROP", "OUTPUT"),
        ("-P OUTPUT ACCEPT", None),
        ("-A INPUT -j ACCEPT", None),
        ("-A INPUT -p icmp -j DROP", None),
        ("-A INPUT ! -p tcp -j DROP", None),
        ("-D INPUT -j DROP", None),
        ("-F", None),
    ],
)
def test_which_commands_put_an_end_to_segments(line: str, chain: str | None) -> None:
    assert chain_that_ends(parse(line)) == chain


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-A INPUT -p tcp", True),
        ("-P INPUT DROP", True),
        ("-A INPUT -j DROP", False),
        ("-F", False),
    ],
)
def test_after_which_commands_the_drop_may_be_told_later(line: str, expected: bool) -> None:
    assert goes_on(parse(line)) is expected


REJECTED = bytes.fromhex(
    "f0000000110a00000000000000000000"
    "02000000"
    "08000f0000000002" "0800040000000003" "08000600d33711ce" "0a000200494e505554000000"
    "0b00010066696c7465720000" "0c0003000000000000000005" "0c0005000800010000000000"
    "18000800" "45000037484e40004006f46b7f0000017f000001"
    "18000900" "89ec00099d9486c7000000025018ffd7fe300000"
)  # fmt: skip


def test_a_message_is_read() -> None:
    (message,) = messages(REJECTED)
    segment = headers(message)
    assert segment is not None
    assert drops(message)
    assert (*segment.source, *segment.destination) == ("127.0.0.1", 35308, "127.0.0.1", 9)
    assert segment.flags == "P."
    assert (segment.sequence, segment.acknowledgement, segment.length) == (0x9D9486C7, 2, 15)


@pytest.mark.families("ipv4")
@pytest.mark.programs("nft")
def test_a_program_that_empties_the_filter_breaks_nothing_of_ours(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = _connected(client, server)
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"1")
    lab.sees("...\nclient > server: Flags [P.], seq J\nclient > server: Flags [P.], seq J")
    server.start("nft flush ruleset").ends(0)
    connection.server.receives(b"1")
    lab.finish()
    assert _decided(lab)
