"""Labs of every shape: who reaches whom, how, in both families; and plans that cannot be."""

import pytest

from sockstates import ESTABLISHED, SYN_SENT, Host, Lab
from sockstates.sandbox.network.topology import LABS, TopologyError, plan

THREE = ("client", "server", "third")


def _connected(client: Host, server: Host) -> None:
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    connection.client.send(b"hello")
    connection.server.receives(b"hello")


def test_two_hosts_reach_each_other(client: Host, server: Host) -> None:
    _connected(client, server)
    _connected(server, client)


@pytest.mark.topology(hosts=THREE)
def test_three_hosts_reach_each_other_through_a_switch(lab: Lab) -> None:
    for client in lab.hosts.values():
        for server in lab.hosts.values():
            if client is not server:
                _connected(client, server)


@pytest.mark.topology(hosts=THREE)
def test_each_segment_is_on_the_wire_once_whatever_passes_it_on(lab: Lab) -> None:
    """A switch sends the first one to everybody: it has not learnt yet who is where."""
    _connected(lab["client"], lab["third"])
    lab.settle()
    assert [each.flags for each in lab.timeline.wire[:3]] == ["S", "S.", "."]


def test_hosts_reach_each_other_through_a_router(client: Host, server: Host, router: Host) -> None:
    _connected(client, server)
    router.lab.settle()
    assert len(router.lab.timeline.arrived["router"]) > 2 * 3


def test_the_router_forwards_what_its_chain_lets_through(
    client: Host, server: Host, router: Host
) -> None:
    listener = server.listen()
    rule = router.iptables("-A FORWARD -p tcp --syn -s client -j DROP")
    connection = client.connect(listener)
    connection.client.reaches(SYN_SENT)
    connection.client.stays(SYN_SENT, seconds=0.2)
    assert rule.packets >= 1
    rule.delete()
    connection.client.reaches(ESTABLISHED)


def test_the_router_itself_is_no_way_around_its_chain(client: Host, router: Host) -> None:
    """FORWARD is not INPUT: a connection to the router is not forwarded."""
    router.iptables("-A FORWARD -j DROP")
    _connected(client, router)


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (("alone",), "at least two hosts"),
        (("client", "client"), "each host may be named only once"),
        (("client", "Server"), "not a host name"),
        (("client", "router"), "lies between the hosts"),
        (("client", "switch"), "lies between the hosts"),
    ],
)
def test_labs_that_cannot_be(hosts: tuple[str, ...], words: str) -> None:
    with pytest.raises(TopologyError, match=words):
        plan(hosts, router=False, number=1)


def test_a_router_has_four_sides() -> None:
    with pytest.raises(TopologyError, match="at most four hosts"):
        plan(("a", "b", "c", "d", "e"), router=True, number=1)


@pytest.mark.parametrize("number", [-1, LABS])
def test_lab_numbers_have_bounds(number: int) -> None:
    with pytest.raises(TopologyError, match="lab number"):
        plan(("client", "server"), router=False, number=number)


def test_no_two_labs_share_an_address() -> None:
    seen: set[str] = set()
    for number in (0, 1, 255, 256, LABS - 1):
        for router in (False, True):
            own = {
                address
                for addresses in plan(THREE, router=router, number=number).names.values()
                for address in addresses.values()
            }
            assert len(own) == 2 * (3 + router)
            assert not own & seen
        seen |= own
