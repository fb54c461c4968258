"""Capturing every frame of a host: a packet(7) socket read into memory that outlives the host.

The agent writes; the test process reads the same memory file, so the evidence is there also after
the host was killed. Frames are kept raw and dissected later. What the kernel had to drop because
nobody read in time is counted: a capture with losses proves nothing by absence.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

from harness.evidence.frames import CapturedFrame

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_ATTACH_FILTER, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 26, 33, 35
PACKET_OUTGOING = 4
LOOPBACK_INDEX = 1
WISHED_BUFFER = 256 << 20
LARGEST_FRAME = 1 << 17
BATCH = 512

_RECORD = struct.Struct("<qIIIB3x")
_TIMESPEC = struct.Struct("=qq")
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
        self._socket = packet_socket(ETH_P_ALL)
        self._socket.setblocking(False)
        _enlarge_buffer(self._socket)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if not loopback:
            _attach_filter(self._socket, _WITHOUT_LOOPBACK)
        self._buffer = bytearray(LARGEST_FRAME)
        self.lost = 0
        """Frames that the kernel dropped before we read them."""
        self.kept = 0

    def fileno(self) -> int:
        """The descriptor that is readable when frames wait."""
        return self._socket.fileno()

    def drain(self, limit: int = BATCH) -> int:
        """Move waiting frames, `limit` at most, into the memory file; how many they were."""
        records: list[bytes] = []
        receive, buffer = self._socket.recvmsg_into, self._buffer
        view = memoryview(buffer)
        try:
            for _ in range(limit):
                length, ancillary, _, address = receive([buffer], 64)
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                index = _interface_index(address[0])
                if address[2] == PACKET_OUTGOING and index == LOOPBACK_INDEX:
                    continue  # loopback shows each frame twice; tcpdump too keeps the arrival
                stamp = seconds * 1_000_000_000 + nanoseconds
                outgoing = address[2] == PACKET_OUTGOING
                records.append(_RECORD.pack(stamp, index, length, length, outgoing))
                records.append(bytes(view[:length]))
        except BlockingIOError:
            pass
        if records:
            _write_whole(self._memory, b"".join(records))
            self.kept += len(records) // 2
        return len(records) // 2

    def count_losses(self) -> int:
        """Ask the kernel what it dropped since the last time; added to `lost` and returned."""
        data = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        _, dropped = struct.unpack("=II", data)
        self.lost += dropped
        return int(dropped)

    def close(self) -> None:
        """Stop capturing."""
        self._socket.close()


_indexes: dict[str, int] = {}


def _interface_index(name: str) -> int:
    """The index by name, remembered: interfaces of a host do not change their names."""
    index = _indexes.get(name)
    if index is None:
        index = _indexes[name] = socket.if_nametoindex(name)
    return index


def packet_socket(protocol: int) -> socket.socket:
    """A packet(7) socket; errors: PermissionError names the capability that is missing."""
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    except PermissionError as error:
        reason = "socket(AF_PACKET) is refused: the capability CAP_NET_RAW is missing"
        raise PermissionError(error.errno, reason) from error


def _enlarge_buffer(receiver: socket.socket) -> None:
    """Room for bursts. Beyond the machine's limit only where we are the machine's root."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WISHED_BUFFER)
    except PermissionError:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WISHED_BUFFER)


def _attach_filter(receiver: socket.socket, program: tuple[tuple[int, int, int, int], ...]) -> None:
    import ctypes

    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(memory))
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class FrameReader:
    """The other end of the memory file: reads what a host's capture has written so far."""

    def __init__(self, memory: int, interfaces: dict[int, str]) -> None:
        self._memory = memory
        self._interfaces = interfaces
        self._offset = 0
        self._rest = b""

    def read(self) -> Iterator[CapturedFrame]:
        """The frames that are new since the last call, in the order in which they were captured."""
        while data := os.pread(self._memory, 1 << 22, self._offset):
            self._offset += len(data)
            data = self._rest + data
            position = 0
            while position + _RECORD.size <= len(data):
                time, index, original, kept, outgoing = _RECORD.unpack_from(data, position)
                end = position + _RECORD.size + kept
                if end > len(data):
                    break
                yield CapturedFrame(
                    time=time,
                    interface=self._interfaces.get(index, f"if{index}"),
                    direction="out" if outgoing else "in",
                    data=data[position + _RECORD.size : end],
                    length=original,
                )
                position = end
            self._rest = data[position:]
