"""Routes and neighbours that a scenario changes: on its own host only, told, refused in words."""

import errno

import pytest

from sockstates import ESTABLISHED, SYN_SENT, Host, Lab, LabError
from sockstates.evidence.held_back import holds_back
from sockstates.record.events import SysctlSet


def test_a_route_is_the_host_s_own_and_can_be_taken_away(
    lab: Lab, client: Host, server: Host
) -> None:
    listener = server.listen(port=80)
    client.route("add unreachable server")
    client.connect(listener).client.connecting.fails(errno.EHOSTUNREACH)
    client.route("replace prohibit server")
    client.connect(listener).client.connecting.fails(errno.EACCES)
    client.route("del prohibit server")
    client.connect(listener).client.reaches(ESTABLISHED)
    changes = [each.name for each in lab.timeline.events if isinstance(each, SysctlSet)]
    assert changes == [
        "route add unreachable server",
        "route replace prohibit server",
        "route del prohibit server",
    ]


@pytest.mark.topology(router=True)
def test_a_default_route_goes_and_comes_back(client: Host, server: Host, router: Host) -> None:
    listener = server.listen(port=80)
    client.route("del default")
    client.connect(listener).client.connecting.fails(errno.ENETUNREACH)
    assert router.addresses
    client.route("add default via router")
    client.connect(listener).client.reaches(ESTABLISHED)


@pytest.mark.families("ipv4")
@pytest.mark.topology(router=True)
def test_an_address_goes_and_comes_back(client: Host, server: Host, router: Host) -> None:
    listener = server.listen(port=80)
    for host in (client, server, router):
        host.ask_neighbours()
    router.ip_address("del dev to-client")
    client.connect(listener).client.stays(SYN_SENT, seconds=0.2)
    router.ip_address("add dev to-client")
    client.connect(listener).client.reaches(ESTABLISHED)


@pytest.mark.families("ipv6")
@pytest.mark.topology(router=True)
def test_an_ipv6_address_takes_no_neighbours_with_it(
    client: Host, server: Host, router: Host
) -> None:
    listener = server.listen(port=80)
    router.ip_address("del dev to-client")
    client.connect(listener).client.stays(SYN_SENT, seconds=0.2)
    router.ip_address("add dev to-client")
    client.connect(listener).client.reaches(ESTABLISHED)


@pytest.mark.families("ipv4")
def test_an_address_that_cannot_be_changed(client: Host) -> None:
    for words in ("", "add", "del dev eth1", "flush dev eth0"):
        with pytest.raises(
            LabError, match="cannot be read: add or del, then dev, then one of eth0"
        ):
            client.ip_address(words)
    with pytest.raises(LabError, match="client: address add dev eth0 is refused: "):
        client.ip_address("add dev eth0")


@pytest.mark.families("ipv4")
@pytest.mark.parametrize("words", ["", "add", "flush server", "add server via", "add a b c"])
def test_words_that_cannot_be_read(client: Host, words: str) -> None:
    with pytest.raises(LabError, match=r"route '.*' cannot be read: one of add, replace, del"):
        client.route(words)


@pytest.mark.families("ipv4")
def test_what_is_refused(client: Host) -> None:
    with pytest.raises(
        LabError, match=r"There is no host 'nobody'\. The hosts are: client, server"
    ):
        client.route("add blackhole nobody")
    with pytest.raises(LabError, match="client: route del blackhole server is refused: "):
        client.route("del blackhole server")


def test_neighbours_answer_who_are_told_to(client: Host, server: Host) -> None:
    server.ask_neighbours()
    client.ask_neighbours()
    client.connect(server.listen(port=80)).client.reaches(ESTABLISHED)


@pytest.mark.families("ipv4")
def test_a_neighbour_that_was_not_told_to_answer(client: Host, server: Host) -> None:
    client.ask_neighbours()
    client.connect(server.listen(port=80)).client.stays(SYN_SENT, seconds=0.2)


@pytest.mark.families("ipv4")
def test_what_a_host_sends_may_be_kept_before_it_is_captured(
    lab: Lab, client: Host, server: Host
) -> None:
    assert not holds_back(lab.timeline, "client")
    client.ask_neighbours()
    assert holds_back(lab.timeline, "client")
    assert not holds_back(lab.timeline, "server")
    server.route("add blackhole client")
    assert holds_back(lab.timeline, "server")
