"""Socket options are shown by their names; the recording keeps the numbers."""

import socket
import struct

import pytest

from sockstates.record.events import CallBegan
from sockstates.record.timeline import Timeline
from sockstates.report.words import event_text
from sockstates.tcp.segment import Address
from sockstates.tcp.socket_options import LEVELS, NAMES, arguments_text


def test_the_numbers_are_those_of_this_kernels_headers() -> None:
    known = 0
    for level, name in LEVELS.items():
        assert getattr(socket, name) == level
        for number, option in NAMES[name].items():
            if hasattr(socket, option):
                known += 1
                assert getattr(socket, option) == number, option
    assert known > 40


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("6, 1, 1", "IPPROTO_TCP, TCP_NODELAY, 1"),
        ("6, 11, 104", "IPPROTO_TCP, TCP_INFO, 104"),
        ("1, 9", "SOL_SOCKET, SO_KEEPALIVE"),
        ("6, 13, b'reno, or so'", "IPPROTO_TCP, TCP_CONGESTION, b'reno, or so'"),
        (f"1, 13, {struct.pack('ii', 1, 5)!r}", "SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}"),
        (f"1, 20, {struct.pack('ll', 2, 7)!r}", "SOL_SOCKET, SO_RCVTIMEO, {tv_sec=2, tv_usec=7}"),
        ("1, 13, b'short'", "SOL_SOCKET, SO_LINGER, b'short'"),
        ("6, 999, 1", "IPPROTO_TCP, 999, 1"),
        ("250, 3, 1", "250, 3, 1"),
        ("", ""),
        ("SHUT_RD", "SHUT_RD"),
    ],
)
def test_arguments_in_words(recorded: str, shown: str) -> None:
    assert arguments_text(recorded) == shown


def test_the_timeline_and_the_ladder_say_the_name() -> None:
    began = CallBegan(0, "client", 1, "setsockopt", "6, 1, 1", Address("10.0.0.1", 5))
    assert "setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)" in event_text(Timeline(), began, {})
