"""A packet(7) ring: the kernel fills blocks with frames, and whole blocks are copied out of it.

TPACKET_V3, Documentation/networking/packet_mmap.rst. Copying blocks without looking into them costs
a twentieth of reading frame by frame, and the ring is not limited by net.core.rmem_max, so that it
holds as much without root. What came when the ring was full is counted: a capture with losses
proves nothing by absence. The ring never changes what it copies, and keeps nothing.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from sockstates.system import VIRTUAL, kernel_part

SOL_PACKET = 263
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 5, 6, 10
TPACKET_V3 = 2
TP_STATUS_USER = 1
SO_ATTACH_FILTER = 26

BLOCK_SIZE, LOOPBACK_BLOCK_SIZE = 1 << 16, 1 << 17
"""A frame must fit into a block, and loopback has frames of 64 KiB."""
RETIRE_MILLISECONDS = 20 if VIRTUAL in os.environ else 4
"""The kernel hands over a block that is not full after so long. Its timer always runs; where hours
pass at once, it is what takes time."""
SETTLE_LIMIT = 5000
"""Milliseconds in which a block is handed over, however busy the machine is."""

_RING = struct.Struct("=IIIIIII")
_BLOCK: Final = struct.Struct("=8xIIII")
"""Of a block: status, number of frames, offset of the first one, bytes in use."""
_FRAME = struct.Struct("=IIIIIIHH20xHHiHBB8s")
"""Of a frame: offset of the next, seconds, nanoseconds, bytes kept, bytes, status, offset of the
link layer; then sockaddr_ll: protocol, interface's index, kind of link, kind of packet, address."""
_NUMBER = struct.Struct("=I")
_COUNTS = struct.Struct("=III")
_INSTRUCTION = struct.Struct("=HBBI")
BLOCK_HEADER: Final = _BLOCK.size


class RingFrame(NamedTuple):
    """A frame in a block, and what the kernel says of it beside: sockaddr_ll of packet(7)."""

    time: int
    data: bytes
    length: int
    protocol: int
    """EtherType, as the frame would show it: in network order."""
    interface: int
    link: int
    """ARPHRD_…, linux/if_arp.h."""
    kind: int
    """PACKET_…: to whom the frame went."""
    address: bytes
    """The sender's, of the link."""


class PacketRing:
    """A packet socket's ring; `keep` is given each block, from its header to its last byte."""

    def __init__(
        self,
        receiver: socket.socket,
        keep: Callable[[memoryview], object],
        *,
        blocks: int,
        block_size: int,
    ) -> None:
        self._socket = receiver
        self._keep = keep
        self._blocks, self._size = blocks, block_size
        self._ring = _map_ring(receiver, blocks, block_size)
        self._next = 0
        self.lost = 0
        """Frames for which the ring had no room."""

    def fileno(self) -> int:
        """The descriptor that is readable when a block waits."""
        return self._socket.fileno()

    def drain(self) -> int:
        """Copy every block that the kernel has handed over; how many frames they hold."""
        frames = 0
        while True:
            start = self._next * self._size
            status, count, _, used = _BLOCK.unpack_from(self._ring, start)
            if not status & TP_STATUS_USER:
                return frames
            with memoryview(self._ring) as ring, ring[start : start + used] as block:
                self._keep(block)
            _NUMBER.pack_into(self._ring, start + 12, 0)  # no frames, for `settle`; and then it is
            _NUMBER.pack_into(self._ring, start + 8, 0)  # the kernel's again
            self._next = (self._next + 1) % self._blocks
            frames += count

    def settle(self) -> int:
        """Drain until all that was captured by now is copied; how many frames that were.

        Waits for the kernel to hand over the block that it is filling.
        """
        frames = self.drain()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while _BLOCK.unpack_from(self._ring, self._next * self._size)[1]:
            if not poll.poll(SETTLE_LIMIT):
                raise TimeoutError(f"the capture has not moved for {SETTLE_LIMIT / 1000:g} s")
            frames += self.drain()
        return frames

    def count_losses(self) -> int:
        """Ask the kernel what it lost since the last time; added to `lost` and returned."""
        data = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _COUNTS.size)
        _, lost, _ = _COUNTS.unpack(data)
        self.lost += lost
        return int(lost)

    def close(self) -> None:
        """Stop capturing."""
        self._ring.close()
        self._socket.close()


def packet_socket(kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
    """A packet(7) socket; errors: OSError says what is missing.

    Without a protocol it hears nothing until it is bound.
    """
    try:
        with kernel_part("packet sockets (AF_PACKET)", "CONFIG_PACKET", "af_packet"):
            return socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
    except PermissionError as error:
        reason = "socket(AF_PACKET) is refused: the capability CAP_NET_RAW is missing"
        raise PermissionError(error.errno, reason) from error


def _map_ring(receiver: socket.socket, blocks: int, block_size: int) -> mmap.mmap:
    receiver.setsockopt(SOL_PACKET, PACKET_VERSION, struct.pack("=i", TPACKET_V3))
    frame_size = 1 << 11  # in this version only the product with the next number counts
    frames = block_size * blocks // frame_size
    wishes = (block_size, blocks, frame_size, frames, RETIRE_MILLISECONDS, 0, 0)
    receiver.setsockopt(SOL_PACKET, PACKET_RX_RING, _RING.pack(*wishes))
    return mmap.mmap(receiver.fileno(), block_size * blocks)


def attach_filter(receiver: socket.socket, program: Iterable[tuple[int, int, int, int]]) -> None:
    """Have the kernel sift what a socket receives: socket(7), SO_ATTACH_FILTER; classic BPF.

    The program's instructions are (code, jump if true, jump if false, k). It takes the place of an
    earlier one.
    """
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HxxxxxxP", len(code) // _INSTRUCTION.size, ctypes.addressof(memory))
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)


def block_length(header: bytes) -> int:
    """How many bytes a block has, from its first `BLOCK_HEADER` bytes."""
    return int(_BLOCK.unpack_from(header)[3])


def frames_of(block: bytes) -> Iterator[RingFrame]:
    """The frames of a block, in the order in which they were captured."""
    _, count, position, _ = _BLOCK.unpack_from(block)
    for _ in range(count):
        following, seconds, nanoseconds, kept, length, _, mac, _, *about = _FRAME.unpack_from(
            block, position
        )
        _, protocol, index, link, kind, size, address = about
        start = position + mac
        position += following
        yield RingFrame(
            seconds * 1_000_000_000 + nanoseconds,
            block[start : start + kept],
            length,
            socket.ntohs(protocol),
            index,
            link,
            kind,
            address[:size],
        )
