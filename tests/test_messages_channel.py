"""The channel between a test process and a host's agent: whole messages, never blocking."""

import socket
from collections.abc import Iterator

import pytest

from sockstates.sandbox.channel import Channel, ChannelClosedError


@pytest.fixture
def streams() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_messages_arrive_whole_and_in_order(streams: tuple[socket.socket, socket.socket]) -> None:
    here, there = (Channel(each) for each in streams)
    messages = [1, "two", {"three": [3.0, None]}, b"\0" * 1000]
    for message in messages:
        here.send(message)
    assert there.receive() == messages
    assert there.receive() == []


def test_half_a_message_waits_for_the_other_half(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    between, first = socket.socketpair()
    with between, first:
        Channel(first).send("whole")
        data = between.recv(1 << 16)
    raw, there = streams[0], Channel(streams[1])
    for position in range(len(data) - 1):
        raw.send(data[position : position + 1])
        assert there.receive() == []
    raw.send(data[-1:])
    assert there.receive() == ["whole"]


def test_what_the_other_side_does_not_take_waits(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    here, there = (Channel(each) for each in streams)
    large = bytes(range(256)) * (1 << 14)
    here.send(large)
    assert here.wants_to_write, "4 MiB do not fit into a socket"
    here.send("after it")
    received: list[object] = []
    while len(received) < 2:
        received += there.receive()
        here.flush()
    assert received == [large, "after it"]
    assert not here.wants_to_write


def test_the_last_messages_of_one_that_ended_are_read(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    here, there = (Channel(each) for each in streams)
    here.send("last words")
    here.close()
    assert there.receive() == ["last words"]
    with pytest.raises(ChannelClosedError, match="has ended"):
        there.receive()


def test_sending_to_one_that_ended_is_an_error(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    here, there = (Channel(each) for each in streams)
    there.close()
    with pytest.raises(ChannelClosedError):
        here.send("anybody?")
