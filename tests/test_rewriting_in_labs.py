"""Addresses rewritten in real hosts: one connection under two names, and nothing lost by that."""

import errno
import sys

import pytest

from sockstates import CLOSED, ESTABLISHED, SYN_SENT, Connection, Host, Lab, Wire
from sockstates.evidence.decisions import decided_segments
from sockstates.report.delivery import lost_segments
from sockstates.report.ladder import ladder
from sockstates.report.segment_remarks import segment_remarks
from sockstates.report.states import states_table

pytestmark = pytest.mark.kernel("nat")
TO_SERVER = "-p tcp --dport 80 -j DNAT --to-destination server:8080"
HANDSHAKE = """
    client > {asked}: Flags [S], seq J
    server.8080 > client: Flags [S.], seq K, ack J+1
    client > {asked}: Flags [.], ack K+1
"""
CONNECTS = """
import socket, sys
held = socket.create_connection((sys.argv[1], 80))
sys.stdin.read()
"""


def _talk(lab: Lab, connection: Connection) -> None:
    """What both ends can do with a connection, with all that the evidence says of it."""
    connection.client.passes_through([SYN_SENT, ESTABLISHED], unseen_allowed=True)
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.client.send(b"hello").returns(5)
    connection.server.receives(b"hello")
    connection.client.close()
    connection.server.receives_end()
    connection.server.close()
    connection.server.reaches(CLOSED)
    lab.settle()
    assert not lost_segments(lab.timeline)


def _line(lab: Lab, host: str, asked: str) -> str:
    (rewriting,) = lab.timeline.rewritings.all
    client = lab.timeline.names.endpoint(rewriting.client)
    return f"{host} rewrote {client} > {asked} to {client} > server.8080, and the answers back"


def test_a_router_leads_on_and_nothing_is_lost(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    rule = router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    connection = client.connect(server.listen(port=8080), at=(router, 80))
    connection.server.reaches(ESTABLISHED)
    lab.sees(HANDSHAKE.format(asked="router.80"))
    _talk(lab, connection)
    assert rule.packets == 1
    drawn = ladder(lab.timeline, width=100)
    assert drawn.splitlines()[-1] == _line(lab, "router", "router.80")
    first = states_table(lab.timeline).splitlines()[0]
    assert first.startswith("client.")
    assert "server.8080" in first


def test_both_ends_names_are_understood(lab: Lab, client: Host, router: Host, server: Host) -> None:
    router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    connection = client.connect(server.listen(port=8080), at=(router, 80))
    connection.server.reaches(ESTABLISHED)
    lab.sees("""
        client > server.8080: Flags [S], seq J
        router.80 > client: Flags [S.], seq K, ack J+1
        client > router.80: Flags [.], ack K+1
    """)
    connection.client.enters(
        ESTABLISHED, after="server.8080 > client: Flags [S.]", unseen_allowed=True
    )
    connection.client.enters(
        ESTABLISHED, after="router.80 > client: Flags [S.]", unseen_allowed=True
    )
    connection.server.enters(
        ESTABLISHED, after="client > router.80: Flags [.]", unseen_allowed=True
    )


def test_the_other_names_are_no_hiding_place(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    connection = client.connect(server.listen(port=8080), at=(router, 80))
    connection.server.reaches(ESTABLISHED)
    for names in ("client > router.80", "client > server.8080"):
        with pytest.raises(AssertionError, match="should never have been there"):
            lab.never_sees(f"{names}: Flags [S]")


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (("router", f"-A PREROUTING {TO_SERVER}"), "router"),
        (("server", "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080"), "server"),
        (("client", f"-A OUTPUT {TO_SERVER}"), "router"),
    ],
)
@pytest.mark.usefixtures("router")
def test_what_the_other_end_s_host_drops_is_lost_there(
    lab: Lab, client: Host, server: Host, rule: tuple[str, str], asked: str
) -> None:
    """Whoever rewrites, and whichever end speaks: each repetition is one of the same segment."""
    where, line = rule
    lab[where].iptables(f"-t nat {line}")
    connection = client.connect(server.listen(port=8080), at=(lab[asked], 80))
    connection.server.reaches(ESTABLISHED)
    for end, other in ((connection.client, server), (connection.server, client)):
        dropping = other.iptables("-A INPUT -j DROP")
        data = f"lost in {other.name}".encode()
        end.send(data)
        end.retransmits_as_predicted("data", times=2)
        lab.settle()
        lost = {each: where for each, where in lost_segments(lab.timeline).items() if each.payload}
        there = [each.payload for each, where in lost.items() if where == other.name]
        assert set(there) == {data}
        assert len(there) >= 3
        dropping.delete()


def test_what_the_router_drops_is_lost_in_it(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """A SYN that is rewritten, and then dropped: connection tracking never tells of it."""
    router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    line = "-A FORWARD -p tcp --dport 8080 -j DROP"
    router.iptables(line)
    connection = client.connect(server.listen(port=8080), at=(router, 80))
    connection.client.reaches(SYN_SENT)
    connection.client.retransmits(1)
    lab.settle()
    lost = lost_segments(lab.timeline)
    assert [lost[each] for each in lab.timeline.wire[:2]] == ["router", "router"]
    assert {event.line for event in decided_segments(lab.timeline).values()} == {line}


def test_a_host_leads_to_another_port_of_its_own(lab: Lab, client: Host, server: Host) -> None:
    """The server's own socket never sees the port that was asked for, and its capture no other."""
    server.iptables("-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080")
    connection = client.connect(server.listen(port=8080), at=(server, 80))
    connection.server.reaches(ESTABLISHED)
    lab.sees(HANDSHAKE.format(asked="server.80"))
    _talk(lab, connection)
    assert ladder(lab.timeline, width=100).splitlines()[-1] == _line(lab, "server", "server.80")


def test_a_host_sends_elsewhere_what_it_sends(lab: Lab, client: Host, server: Host) -> None:
    """The client's own socket speaks to a port that never stands on the wire."""
    client.iptables(f"-t nat -A OUTPUT {TO_SERVER}")
    connection = client.connect(server.listen(port=8080), at=(server, 80))
    connection.server.reaches(ESTABLISHED)
    lab.sees(HANDSHAKE.format(asked="server.80"))
    _talk(lab, connection)
    assert ladder(lab.timeline, width=100).splitlines()[-1] == _line(lab, "client", "server.80")


def test_a_program_s_connection_has_both_ends(client: Host, router: Host, server: Host) -> None:
    router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    backend = server.listen(port=8080)
    program = client.start([sys.executable, "-c", CONNECTS, "router"])
    connection = program.connects(backend, at=(router, 80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.server.send(b"hello").returns(5)
    connection.client.reaches(ESTABLISHED, receive_queue=5, owner=program)


def test_without_the_rule_nobody_leads_on(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    rule = router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    rule.delete()
    connection = client.connect(server.listen(port=8080), at=(router, 80))
    connection.client.connecting.fails(errno.ECONNREFUSED)
    assert not lab.timeline.rewritings.all


def test_a_wire_drops_what_a_host_would_lead_on(
    lab: Lab, client: Host, wire: Wire, server: Host
) -> None:
    """The wire knows the port that was asked for, and the server's socket the other one."""
    server.iptables("-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080")
    connection = client.connect(server.listen(port=8080), at=(server, 80))
    connection.server.reaches(ESTABLISHED)
    wire.drop("client > server: Flags [P.]", number=1)
    connection.client.send(b"lost").returns(4)
    connection.client.retransmits(1)
    connection.server.receives(b"lost")
    lab.settle()
    first, again, *_ = (each for each in lab.timeline.wire if each.payload)
    lost = lost_segments(lab.timeline)
    assert lost[first] == "wire"
    assert again not in lost


def test_what_a_scenario_writes_itself_is_led_on_too(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """Its host has a rule that keeps its kernel from answering, which drops what comes back."""
    router.iptables(f"-t nat -A PREROUTING {TO_SERVER}")
    server.listen(port=8080)
    crafted = client.crafts(port=40000, to=router, to_port=80)
    crafted.sends("Flags [S], seq 1000")
    lab.sees("""
        client.40000 > router.80: Flags [S], seq 1000
        server.8080 > client.40000: Flags [S.], seq K, ack 1001
    """)
    lab.settle()
    syn, answer, *_ = lab.timeline.wire
    lost = lost_segments(lab.timeline)
    assert syn not in lost
    assert lost[answer] == "client"
    assert "crafted" in segment_remarks(lab.timeline)[syn]
