"""Capturing every frame of a host: a ring's blocks, copied into memory that outlives the host.

The agent copies whole blocks of the ring without looking into them, and the test process takes the
frames out of the copies, also after the host was killed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Literal

from sockstates.record.frames import CapturedFrame
from sockstates.sandbox.witnesses.packet_ring import (
    BLOCK_HEADER,
    BLOCK_SIZE,
    LOOPBACK_BLOCK_SIZE,
    PacketRing,
    RingFrame,
    attach_filter,
    block_length,
    frames_of,
    packet_socket,
)

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
LOOPBACK_INDEX = 1

BLOCKS = 64
"""4 MiB, a tenth of a second of 200,000 small frames a second."""
BLOCKS_OF_A_WIRE = 512
"""32 MiB: as many full frames as may wait in the rings of its ports, coming and going."""

_WITHOUT_LOOPBACK = (
    (0x20, 0, 0, 0xFFFFF000 + 8),  # A = index of the interface (SKF_AD_IFINDEX)
    (0x15, 0, 1, LOOPBACK_INDEX),  # loopback?
    (0x06, 0, 0, 0),  # then nothing of it
    (0x06, 0, 0, 0x40000),  # else the whole frame
)


class Capture(PacketRing):
    """The capture of one host, in the host's agent: everything on every interface from now on.

    To be made while every interface is still down: what comes before the filter is not filtered.
    """

    def __init__(self, memory: int, *, loopback: bool, blocks: int = BLOCKS) -> None:
        receiver = packet_socket(socket.SOCK_RAW, ETH_P_ALL)
        if not loopback:
            attach_filter(receiver, _WITHOUT_LOOPBACK)
        size = LOOPBACK_BLOCK_SIZE if loopback else BLOCK_SIZE
        super().__init__(
            receiver, lambda block: _write_whole(memory, block), blocks=blocks, block_size=size
        )


def _write_whole(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def direction_of(frame: RingFrame) -> Literal["in", "out"] | None:
    """Which way a frame went; None for one that is not to be kept.

    Loopback shows each frame twice; tcpdump too keeps the arrival.
    """
    if frame.kind != PACKET_OUTGOING:
        return "in"
    return None if frame.interface == LOOPBACK_INDEX else "out"


class FrameReader:
    """The other end of the memory file: reads what a host's capture has written so far."""

    def __init__(self, memory: int, interfaces: dict[int, str]) -> None:
        self._memory = memory
        self.interfaces = interfaces
        self._offset = 0

    def read(self) -> Iterator[CapturedFrame]:
        """The frames that are new since the last call, in the order in which they were captured."""
        while header := os.pread(self._memory, BLOCK_HEADER, self._offset):
            if len(header) < BLOCK_HEADER:
                return
            block = os.pread(self._memory, block_length(header), self._offset)
            if len(block) < block_length(header):
                return
            self._offset += len(block)
            yield from self._frames(block)

    def _frames(self, block: bytes) -> Iterator[CapturedFrame]:
        for frame in frames_of(block):
            direction = direction_of(frame)
            if direction is None:
                continue
            index = frame.interface
            yield CapturedFrame(
                time=frame.time,
                interface=self.interfaces.get(index, f"if{index}"),
                direction=direction,
                data=frame.data,
                length=frame.length,
            )
