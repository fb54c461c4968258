"""The capture: every frame, as it would be on a wire, and a count of what was lost."""

import os
import socket
from typing import Any

import pytest

from sockstates import ESTABLISHED, Host, Lab
from sockstates.record.frames import CapturedFrame
from sockstates.sandbox.network import gate
from sockstates.sandbox.witnesses.capture import Capture, FrameReader
from tests.own_namespace import in_own_namespace
from tests.rule_twins import pin_to_one_processor

MSS = 1500 - 40 - 12
"""Of a segment over IPv4 with timestamps; over IPv6 it is less."""
BULK = 200_000


def _transfer(client: Host, server: Host) -> None:
    connection = client.connect(server.listen(port=5000))
    connection.client.connecting.returns()
    connection.client.send(BULK, wait=False)
    connection.server.receives(bytes(BULK))
    connection.client.reaches(ESTABLISHED, send_queue=0)
    _wait_for_arrivals(client.lab)


def _wait_for_arrivals(lab: Lab) -> None:
    """Until what one host has sent, a last window update too, has come to the other one."""

    def arrived() -> bool:
        lab.settle()
        return all(
            len(_going(lab, sender, "out")) == len(_going(lab, receiver, "in"))
            for sender, receiver in (("client", "server"), ("server", "client"))
        )

    assert lab.wait_until(arrived, "every frame to arrive", None)


def _going(lab: Lab, host: str, direction: str) -> list[CapturedFrame]:
    return [each for each in lab.timeline.frames[host] if each.direction == direction]


def test_both_hosts_capture_every_frame_that_passes(lab: Lab, client: Host, server: Host) -> None:
    _transfer(client, server)
    for sender, receiver in (("client", "server"), ("server", "client")):
        sent, came = _going(lab, sender, "out"), _going(lab, receiver, "in")
        assert [each.data for each in sent] == [each.data for each in came]
        assert all(one.time <= other.time for one, other in zip(sent, came, strict=True))
        assert {each.interface for each in sent} == {f"{sender}:eth0"}


def test_the_capture_begins_before_the_first_packet(lab: Lab, client: Host, server: Host) -> None:
    client.connect(server.listen(port=5000)).client.reaches(ESTABLISHED)
    lab.settle()
    first = lab.timeline.wire[0]
    assert first.flags == "S"
    assert lab.origin < first.time < lab.now()


def test_moments_are_told_in_nanoseconds(lab: Lab, client: Host, server: Host) -> None:
    _transfer(client, server)
    assert any(each.time % 1000 for each in lab.timeline.frames["client"])


def test_no_offload_makes_segments_that_no_wire_carries(
    lab: Lab, client: Host, server: Host
) -> None:
    _transfer(client, server)
    sizes = [len(each.payload) for each in lab.timeline.wire]
    assert sum(sizes) >= BULK, "what is sent again counts twice"
    assert 0 < max(sizes) <= MSS
    assert max(each.length for each in lab.timeline.frames["server"]) <= 1514


def test_checksums_are_right_in_every_capture(lab: Lab, client: Host, server: Host) -> None:
    _transfer(client, server)
    frames = [each for own in lab.timeline.frames.values() for each in own]
    assert len(frames) > 2 * BULK // MSS
    for frame in frames:
        assert frame.data == _with_computed_checksums(frame)


def _with_computed_checksums(frame: CapturedFrame) -> bytes:
    """The frame as scapy writes it, which computes the checksums itself."""
    from scapy.layers.inet import TCP
    from scapy.layers.l2 import Ether

    packet: Any = Ether(frame.data)
    del packet[TCP].chksum
    if packet.haslayer("IP"):
        del packet["IP"].chksum
    return bytes(packet)


def test_a_wrong_checksum_would_be_noticed(lab: Lab, client: Host, server: Host) -> None:
    client.connect(server.listen(port=5000)).client.reaches(ESTABLISHED)
    lab.settle()
    frame = lab.timeline.frames["client"][0]
    data = bytearray(frame.data)
    data[-1] ^= 1
    broken = CapturedFrame(frame.time, frame.interface, frame.direction, bytes(data), frame.length)
    assert broken.data != _with_computed_checksums(broken)


@pytest.mark.topology(loopback=True)
def test_loopback_frames_are_kept_once(lab: Lab, client: Host) -> None:
    client.connect(client.listen(port=5000)).server.reaches(ESTABLISHED)
    lab.settle()
    assert [each.flags for each in lab.timeline.wire] == ["S", "S.", "."]
    assert {each.interface for each in lab.timeline.frames["client"]} == {"client:lo"}


# The capture alone, in a namespace of its own


def _loopback_up() -> None:
    encoder = gate.message_encoder()
    encoder.reset()
    encoder.link("set", index=1, state="up")
    gate.send_messages(bytes(encoder.batch))
    encoder.close()


def _captured(
    *, loopback: bool, blocks: int, datagrams: int, drained_after: int = 0
) -> tuple[int, int, int]:
    """Send so many datagrams; then kept, lost, and lost since.

    Nobody reads meanwhile, or somebody does whenever `drained_after` of them have been sent.
    """
    pin_to_one_processor()
    memory = os.memfd_create("frames")
    own = Capture(memory, loopback=loopback, blocks=blocks)
    _loopback_up()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(datagrams):
            sender.sendto(b"%5d" % number + bytes(200), ("127.0.0.1", 9))
            if drained_after and number % drained_after == 0:
                own.drain()
    _let_all_pass()
    own.settle()
    own.count_losses()
    read = [
        each for each in FrameReader(memory, {1: "lo"}).read() if len(each.data) == 14 + 28 + 205
    ]
    return len(read), own.lost, own.count_losses()


def _let_all_pass() -> None:
    """Wait until loopback has passed on what this process sent, and the answers to that.

    Of one processor all of it waits in one line, which may be handed over to its ksoftirqd. Our
    first datagram comes behind what was sent before it, the second one behind the answers.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        for _ in range(2):
            own.sendto(b"last", own.getsockname())
            own.recv(4)


def test_what_does_not_fit_is_counted_as_lost() -> None:
    kept, lost, again = in_own_namespace(lambda: _captured(loopback=True, blocks=2, datagrams=2000))
    assert 0 < kept < 2000
    assert lost > 0
    assert again == 0, "counted once"


def test_nothing_is_lost_that_fits() -> None:
    """However slowly it comes: a block is handed over after a while with a single frame in it.

    A datagram is four frames: it and the answer, port unreachable, each going out and coming in.
    """
    captured = in_own_namespace(
        lambda: _captured(loopback=True, blocks=16, datagrams=1000, drained_after=3)
    )
    assert captured == (1000, 0, 0)


def test_loopback_is_left_out_by_the_kernel() -> None:
    assert in_own_namespace(lambda: _captured(loopback=False, blocks=16, datagrams=1000)) == (
        0,
        0,
        0,
    )
