"""Capturing every frame of a host: a packet(7) ring, copied into memory that outlives the host.

The kernel fills blocks of the ring (TPACKET_V3, Documentation/networking/packet_mmap.rst), the
agent copies whole blocks without looking into them, and the test process takes the frames out of
the copies, also after the host was killed. That costs the agent a twentieth of reading frame by
frame, and the ring is not limited by net.core.rmem_max, so that it holds as much without root.

What came when the ring was full is counted: a capture with losses proves nothing by absence.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import struct
from collections.abc import Iterable, Iterator

from harness.evidence.frames import CapturedFrame

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 5, 6, 10
TPACKET_V3 = 2
TP_STATUS_USER = 1
SO_ATTACH_FILTER = 26
PACKET_OUTGOING = 4
LOOPBACK_INDEX = 1

BLOCKS = 64
BLOCK_SIZE, LOOPBACK_BLOCK_SIZE = 1 << 16, 1 << 17
"""4 MiB, a tenth of a second of 200,000 small frames a second. A frame must fit into a block, and
loopback has frames of 64 KiB."""
RETIRE_MILLISECONDS = 4
"""The kernel hands over a block that is not full after so long."""
SETTLE_LIMIT = 5000
"""Milliseconds in which a block is handed over, however busy the machine is."""

_RING = struct.Struct("=IIIIIII")
_BLOCK = struct.Struct("=8xIIII")
"""Of a block: status, number of frames, offset of the first one, octets in use."""
_FRAME = struct.Struct("=IIIIIIHH20xHHiHBB")
"""Of a frame: offset of the next, seconds, nanoseconds, octets kept, octets, status, offset of the
link layer; then sockaddr_ll with the interface's index and the packet's type."""
_NUMBER = struct.Struct("=I")
_COUNTS = struct.Struct("=III")
_INSTRUCTION = struct.Struct("=HBBI")

_WITHOUT_LOOPBACK = (
    (0x20, 0, 0, 0xFFFFF000 + 8),  # A = index of the interface (SKF_AD_IFINDEX)
    (0x15, 0, 1, LOOPBACK_INDEX),  # loopback?
    (0x06, 0, 0, 0),  # then nothing of it
    (0x06, 0, 0, 0x40000),  # else the whole frame
)


class Capture:
    """The capture of one host, in the host's agent: everything on every interface from now on.

    To be made while every interface is still down: what comes before the filter is not filtered.
    """

    def __init__(self, memory: int, *, loopback: bool) -> None:
        self._memory = memory
        self._socket = _packet_socket()
        if not loopback:
            attach_filter(self._socket, _WITHOUT_LOOPBACK)
        self._size = LOOPBACK_BLOCK_SIZE if loopback else BLOCK_SIZE
        self._ring = _ring(self._socket, self._size)
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
            _write_whole(self._memory, memoryview(self._ring)[start : start + used])
            _NUMBER.pack_into(self._ring, start + 12, 0)  # no frames, for `settle`; and then it is
            _NUMBER.pack_into(self._ring, start + 8, 0)  # the kernel's again
            self._next = (self._next + 1) % BLOCKS
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
                raise TimeoutError(f"the capture stands still for {SETTLE_LIMIT / 1000:g} s")
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


def _packet_socket() -> socket.socket:
    """A packet(7) socket; errors: PermissionError names the capability that is missing."""
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    except PermissionError as error:
        reason = "socket(AF_PACKET) is refused: the capability CAP_NET_RAW is missing"
        raise PermissionError(error.errno, reason) from error


def _ring(receiver: socket.socket, block_size: int) -> mmap.mmap:
    receiver.setsockopt(SOL_PACKET, PACKET_VERSION, struct.pack("=i", TPACKET_V3))
    frame_size = 1 << 11  # in this version only the product with the next number counts
    frames = block_size * BLOCKS // frame_size
    wishes = (block_size, BLOCKS, frame_size, frames, RETIRE_MILLISECONDS, 0, 0)
    receiver.setsockopt(SOL_PACKET, PACKET_RX_RING, _RING.pack(*wishes))
    return mmap.mmap(receiver.fileno(), block_size * BLOCKS)


def attach_filter(receiver: socket.socket, program: Iterable[tuple[int, int, int, int]]) -> None:
    """Have the kernel sift what a socket receives: socket(7), SO_ATTACH_FILTER; classic BPF.

    The program's instructions are (code, jump if true, jump if false, k). It takes the place of an
    earlier one.
    """
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HxxxxxxP", len(code) // _INSTRUCTION.size, ctypes.addressof(memory))
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)


def _write_whole(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


class FrameReader:
    """The other end of the memory file: reads what a host's capture has written so far."""

    def __init__(self, memory: int, interfaces: dict[int, str]) -> None:
        self._memory = memory
        self._interfaces = interfaces
        self._offset = 0

    def read(self) -> Iterator[CapturedFrame]:
        """The frames that are new since the last call, in the order in which they were captured."""
        while header := os.pread(self._memory, _BLOCK.size, self._offset):
            if len(header) < _BLOCK.size:
                return
            _, count, first, used = _BLOCK.unpack(header)
            block = os.pread(self._memory, used, self._offset)
            if len(block) < used:
                return
            self._offset += used
            yield from self._frames(block, count, first)

    def _frames(self, block: bytes, count: int, position: int) -> Iterator[CapturedFrame]:
        for _ in range(count):
            frame = _FRAME.unpack_from(block, position)
            following, seconds, nanoseconds, kept, length, _, mac, _ = frame[:8]
            _, _, index, _, kind, _ = frame[8:]
            start = position + mac
            position += following
            outgoing = kind == PACKET_OUTGOING
            if outgoing and index == LOOPBACK_INDEX:
                continue  # loopback shows each frame twice; tcpdump too keeps the arrival
            yield CapturedFrame(
                time=seconds * 1_000_000_000 + nanoseconds,
                interface=self._interfaces.get(index, f"if{index}"),
                direction="out" if outgoing else "in",
                data=block[start : start + kept],
                length=length,
            )
