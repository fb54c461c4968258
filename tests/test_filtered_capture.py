"""A scenario's own capture: its words, what it refuses, and what it leaves in the report."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, Direction, Host, Inconclusive, Lab, LabError
from sockstates.captures import libpcap
from sockstates.captures.file import CaptureFile
from sockstates.captures.pcapng_writer import CaptureInterface, pcapng_blocks
from sockstates.record.events import CaptureChosen, FramesLost
from sockstates.report.folder import write_folder
from sockstates.sandbox.witnesses import chosen_captures
from sockstates.tcp.links import COOKED_2, ETHERNET
from sockstates.tcp.tcpdump_output import Style
from tests.own_namespace import in_own_namespace


def _handshake(client: Host, server: Host, port: int) -> None:
    """Over when the server is ESTABLISHED too: the client is so before its last ACK is sent."""
    connection = client.connect(server.listen(port=port))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)


def test_it_sees_from_its_beginning_to_its_end(client: Host, server: Host) -> None:
    _handshake(client, server, 80)
    with client.capture("tcp") as capture:
        _handshake(client, server, 81)
    _handshake(client, server, 82)
    capture.stop()
    assert [each.flags for each in capture.segments] == ["S", "S.", "."]
    assert capture.segments[0].destination.port == 81


@pytest.mark.parametrize(("direction", "flags"), [("in", ["S."]), ("out", ["S", "."])])
@pytest.mark.parametrize("interface", ["any", "eth0"])
def test_one_direction(
    client: Host, server: Host, direction: Direction, flags: list[str], interface: str
) -> None:
    capture = client.capture("port 80", direction=direction, interface=interface)
    _handshake(client, server, 80)
    assert [each.flags for each in capture.segments] == flags
    assert {each.direction for each in capture.frames} == {direction}


def test_loopback_without_asking_for_it_beforehand(lab: Lab, client: Host) -> None:
    capture = client.capture("port 80", interface="lo")
    _handshake(client, client, 80)
    assert [each.flags for each in capture.segments] == ["S", "S.", "."]
    assert not lab.timeline.frames["client"]


def test_frames_are_those_of_the_host_own_capture(lab: Lab, client: Host, server: Host) -> None:
    one, every = client.capture("", interface="eth0"), client.capture("")
    _handshake(client, server, 80)
    assert [each.data for each in one.frames] == [
        each.data for each in lab.timeline.frames["client"]
    ]
    assert [each.data[20:] for each in every.frames] == [each.data[14:] for each in one.frames]
    assert {each.link_type for each in one.frames} == {ETHERNET}
    assert {each.link_type for each in every.frames} == {COOKED_2}
    assert {each.interface for each in every.frames} == {"client:eth0"}


def test_lines_say_which_interface_and_which_way(client: Host, server: Host) -> None:
    one, every = client.capture("", interface="eth0"), client.capture("")
    _handshake(client, server, 80)
    of_one, of_every = (each.lines(Style(times=False)) for each in (one, every))
    assert of_every[0] == f"eth0  Out {of_one[0]}"
    assert of_every[1] == f"eth0  In  {of_one[1]}"


@pytest.mark.families("ipv4")
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda host: host.capture("tcp prot 80"), "client: filter 'tcp prot 80': can't parse"),
        (lambda host: host.capture("host nobody-here"), "unknown host 'nobody-here'"),
        (lambda host: host.capture("ether host 02:00:00:00:00:01"), "only on ethernet"),
        (lambda host: host.capture("link[1] = 1"), "choose one: interface="),
        (lambda host: host.capture(80), 'client.capture("tcp port 80")'),
        (lambda host: host.capture("tcp", direction="both"), "in, out, inout, not 'both'"),
        (lambda host: host.capture("tcp", interface="eth7"), "it has lo, eth0, and 'any'"),
    ],
)
def test_what_is_refused(lab: Lab, client: Host, ask: Callable[[Host], object], said: str) -> None:
    with pytest.raises(LabError) as refusal:
        ask(client)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not lab.timeline.chosen
    assert not [event for event in lab.timeline.events if isinstance(event, CaptureChosen)]


def _begin_without_libpcap() -> str:
    sys.modules["cypcap"] = None  # type: ignore[assignment]
    try:
        chosen_captures._program("tcp", "any")
    except libpcap.LibpcapMissing as missing:
        return str(missing)
    return "it is there"


def test_without_libpcap() -> None:
    assert "pip install cypcap" in in_own_namespace(_begin_without_libpcap)


def test_the_report_has_it(lab: Lab, client: Host, server: Host, tmp_path: Path) -> None:
    every = client.capture("tcp port 80", direction="in")
    none = server.capture("udp", interface="eth0")
    _handshake(client, server, 80)
    every.stop()
    none.stop()
    write_folder(lab.timeline, tmp_path)
    kept = tmp_path / "client.capture-1.pcapng"
    assert [data for _, _, data, *_ in CaptureFile(kept).records()] == [
        each.data for each in every.frames
    ]
    assert b"\0tcp port 80" in kept.read_bytes()
    assert b"direction in, interface any" in kept.read_bytes()
    assert not list(CaptureFile(tmp_path / "server.capture-2.pcapng").records())
    said = (tmp_path / "timeline.txt").read_text()
    assert "capture 1 began: interface any, direction in, filter 'tcp port 80'" in said
    assert "capture 1 ended, with 1 frames" in said


def test_the_option_if_filter() -> None:
    """Option 11, its length, 0 for "a filter in libpcap's words": draft-ietf-opsawg-pcapng."""
    blocks = b"".join(pcapng_blocks([], [CaptureInterface("client:eth0", filter="tcp")]))
    assert b"\x0b\x00\x04\x00\x00tcp" in blocks


def test_a_loss_is_inconclusive(lab: Lab, client: Host) -> None:
    capture = client.capture("udp")
    lab.timeline.add(FramesLost(lab.now(), "client", 3, chosen=True))
    with pytest.raises(Inconclusive, match="lost 3 frames"):
        lab.finish()
    lab.timeline.events.pop()
    assert not capture.frames


def _what_a_full_ring_says() -> tuple[int, int]:
    """Datagrams on loopback that nobody reads meanwhile: how many were kept, how many told lost."""
    import selectors

    from sockstates.sandbox.witnesses.packet_ring import frames_of
    from tests.rule_twins import pin_to_one_processor
    from tests.test_capture import _let_all_pass, _loopback_up

    pin_to_one_processor()
    chosen_captures.BLOCKS = 2
    sent: list[object] = []
    own = chosen_captures.ChosenCaptures("client", selectors.DefaultSelector(), sent.append)
    _loopback_up()
    own.begin(1, "udp port 9", "lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(2000):
            sender.sendto(bytes(200), ("127.0.0.1", 9))
    _let_all_pass()
    own.end(1)
    blocks = [each.data for each in sent if isinstance(each, chosen_captures.CapturedBlock)]
    lost = sum(each.count for each in sent if isinstance(each, FramesLost) and each.chosen)
    return sum(len(list(frames_of(block))) for block in blocks), lost


def test_what_does_not_fit_is_counted_as_lost() -> None:
    kept, lost = in_own_namespace(_what_a_full_ring_says)
    assert 0 < kept < 4000
    assert kept + lost == 4000, "loopback shows each frame twice, and nothing else passed"


def _what_a_request_to_end_it_brings() -> tuple[list[str], list[object]]:
    """The request comes before the kernel hands over a block; one look finds both ready."""
    import os
    import select

    from sockstates.sandbox.agent.agent import Agent, Description
    from sockstates.sandbox.channel import Channel
    from tests.test_capture import _loopback_up

    _loopback_up()
    ours, its = socket.socketpair()
    channel = Channel(ours)
    agent = Agent(Description("client"), its, os.memfd_create("capture"), os.eventfd(0))
    channel.send((1, "captures.begin", (1, "udp port 9", "lo"), {}))
    agent._turn()
    channel.send((2, "captures.end", (1,), {}))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(bytes(200), ("127.0.0.1", 9))
    select.select([agent._chosen._running[1]], [], [])
    agent._turn()
    told = channel.receive()
    return [type(each).__name__ for each in told], [each for each in told if type(each) is tuple]


def test_the_request_that_ends_it_can_come_before_its_frames() -> None:
    kinds, answers = in_own_namespace(_what_a_request_to_end_it_brings)
    assert answers == [(1, None, None), (2, None, None)]
    assert "CapturedBlock" in kinds
