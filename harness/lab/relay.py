"""Passing frames on between the two interfaces of a wire, in the order in which they came.

Each interface has a packet(7) ring (TPACKET_V2: frame by frame, without a delay) that shows what
came in, and what goes on is sent from that ring's own memory, many frames with one sendmmsg(2).
Frames are whole and of layer 2: nothing is taken off, counted down or computed anew. What is to be
done with a frame is asked of somebody else, and only where somebody is there to be asked.

What had no room, in a ring or at the far end of a cable, is counted: then the run proves nothing.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path

from harness.lab import gate

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 5, 6, 10, 23
TPACKET_V2 = 1
TP_STATUS_USER = 1
FRAME_ROOM = 1 << 11
FRAMES = 1 << 13
BLOCK_SIZE = 1 << 16
"""16 MiB for each direction: 8192 frames, at 50,000 a second 160 ms, whoever has the processor."""
MOST_IN_ONE_GO = 512
"""Frames passed on before others have their turn: the capture, whose ring is smaller."""
MOST_AT_ONCE = 256
"""Frames in one call: fewer than net.core.netdev_max_backlog (1000), which is all that the far end
of a cable takes in while its processor is busy."""
COUNTERS = Path("/proc/net/dev")
_DROPPED_ON_SENDING = 11
"""Column of /proc/net/dev behind the name: what the far end of a cable had no room for."""

_RING = struct.Struct("=IIII")
_STATUS = struct.Struct("=I")
_HEADER = struct.Struct("=IIIHHII")
"""Of a frame: status, octets, octets kept, offset of the link layer, of the network layer, seconds,
nanoseconds."""
_COUNTS = struct.Struct("=II")


class _Buffer(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """``struct mmsghdr``; sendmmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


_LIBC = ctypes.CDLL(None, use_errno=True)


Act = Callable[[], None]
Decide = Callable[[int, bytes, int], Act | None]
"""What is asked of a frame: the number of the port that it came to, its octets, when (ns). None: it
goes on as it is; else what is done instead, once those before it have gone."""


class Port:
    """One interface of a wire: what comes in at it, and sending out of it."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._socket = gate.unbound_packet_socket()
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, struct.pack("=i", TPACKET_V2))
        wishes = BLOCK_SIZE, FRAMES * FRAME_ROOM // BLOCK_SIZE, FRAME_ROOM, FRAMES
        self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, _RING.pack(*wishes))
        self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._ring = mmap.mmap(self._socket.fileno(), FRAMES * FRAME_ROOM)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._ring))
        self._next = 0
        self._buffers = (_Buffer * FRAMES)()
        self._messages = (_Message * FRAMES)()
        for slot in range(FRAMES):
            self._messages[slot].buffers = ctypes.pointer(self._buffers[slot])
            self._messages[slot].buffer_count = 1
        self._socket.bind((interface, ETH_P_ALL))
        self.cut = 0
        """Frames that were longer than the ring's room for one: they did not go on."""

    def fileno(self) -> int:
        """The descriptor that is readable when a frame waits."""
        return self._socket.fileno()

    def arrived(self) -> int:
        """When the next frame came (CLOCK_REALTIME, ns); 0 when none waits."""
        status, _, _, _, _, seconds, nanoseconds = _HEADER.unpack_from(
            self._ring, self._next * FRAME_ROOM
        )
        return seconds * 1_000_000_000 + nanoseconds if status & TP_STATUS_USER else 0

    def skip(self) -> None:
        """Be done with the next frame."""
        _STATUS.pack_into(self._ring, self._next * FRAME_ROOM, 0)
        self._next = (self._next + 1) % FRAMES

    def pass_on(self, to: Port, until: int, decide: Decide | None, side: int) -> int:
        """Send what came before `until` (ns; 0: all there is) out of the other port; how many.

        Up to the first frame about which `decide` has something else in mind: that is done when
        those before it have gone.
        """
        first, count = self._next, 0
        act: Act | None = None
        while act is None and count < min(MOST_AT_ONCE, FRAMES - first):
            start = (first + count) * FRAME_ROOM
            status, length, kept, mac, _, seconds, nanoseconds = _HEADER.unpack_from(
                self._ring, start
            )
            moment = seconds * 1_000_000_000 + nanoseconds
            if not status & TP_STATUS_USER or (until and moment > until):
                break
            self.cut += length > kept
            start += mac
            if decide is not None:
                act = decide(side, self._ring[start : start + kept], moment)
            if act is None:
                buffer = self._buffers[first + count]
                buffer.base, buffer.length = self._base + start, kept
                count += 1
        self._send_run(to, first, count)
        if act is None:
            return count
        self.skip()
        act()
        return count + 1

    def _send_run(self, to: Port, first: int, count: int) -> None:
        sent = 0
        while sent < count:
            sent += to.send_messages(self._messages, first + sent, count - sent)
        for _ in range(count):
            self.skip()

    def send_messages(self, messages: ctypes.Array[_Message], first: int, count: int) -> int:
        """Send some of these; how many the kernel took."""
        at = ctypes.byref(messages, first * ctypes.sizeof(_Message))
        number: int = _LIBC.sendmmsg(self.fileno(), at, count, 0)
        if number < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"the wire cannot send at {self.interface}: {os.strerror(error)}")
        return number

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        self._socket.send(frame)

    def lost(self) -> int:
        """Ask the kernel how many frames the ring had no room for since the last time."""
        data = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _COUNTS.size)
        _, lost = _COUNTS.unpack(data)
        cut, self.cut = self.cut, 0
        return int(lost) + cut


class Relay:
    """Both ports, and what passes between them."""

    def __init__(self, interfaces: tuple[str, str]) -> None:
        self.ports = Port(interfaces[0]), Port(interfaces[1])
        self._refused = self._refused_by_now()

    def ready(self, decide: Decide | None) -> None:
        """Pass on what has come by now, in the order in which it came at either port.

        decide: None when every frame goes on as it is.
        """
        left = MOST_IN_ONE_GO
        while left > 0:
            moments = self.ports[0].arrived(), self.ports[1].arrived()
            if not any(moments):
                return
            side = 1 if not moments[0] or 0 < moments[1] < moments[0] else 0
            port, other = self.ports[side], self.ports[1 - side]
            left -= port.pass_on(other, moments[1 - side], decide, side)

    def send(self, side: int, frame: bytes) -> None:
        """Have a frame that came to this port go on now."""
        self.ports[1 - side].send(frame)

    def count_losses(self) -> int:
        """How many frames did not go on, for want of room, since the last time."""
        refused = self._refused_by_now()
        lost = refused - self._refused + sum(port.lost() for port in self.ports)
        self._refused = refused
        return lost

    def _refused_by_now(self) -> int:
        """What the far ends of the cables had no room for, as this namespace counts it."""
        names = {port.interface for port in self.ports}
        lines = (line.partition(":") for line in COUNTERS.read_text().splitlines())
        return sum(
            int(counters.split()[_DROPPED_ON_SENDING])
            for name, _, counters in lines
            if name.strip() in names
        )
