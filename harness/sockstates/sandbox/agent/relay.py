"""Passing frames on between the two interfaces of a wire, in the order in which they came.

Each interface has a packet(7) ring (TPACKET_V2: frame by frame, without a delay) that shows what
came in, and what goes on is sent from that ring's own memory, many frames with one sendmmsg(2).
Frames are whole and of layer 2: nothing is taken off, counted down or computed anew. What is to be
done with a frame is asked of a judge, and only for the frames that interest it. Those stay in order
with all others; the others with those of their direction, as on any cable.

What had no room, in a ring or at the far end of a cable, is counted: then the run proves nothing.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import struct
from array import array
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Final, Protocol

from sockstates.sandbox.network import gate

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 5, 6, 10, 23
TPACKET_V2 = 1
FRAME_ROOM = 1 << 11
FRAMES = 1 << 13
BLOCK_SIZE = 1 << 16
"""16 MiB for each direction: 8192 frames, at 50,000 a second 160 ms, whoever has the processor."""
MOST_IN_ONE_GO = 512
"""Frames passed on before others have their turn: the capture, whose ring is smaller."""
MOST_AT_ONCE = 256
"""Frames in one call: fewer than net.core.netdev_max_backlog (1000), which is all that the far end
of a cable takes in while its processor is busy."""
PRIORITY = -5
"""Nice value, setpriority(2). Frames come whether or not the wire has a processor: where flood,
captures and test share two, it waited for one as long as it ran, and its rings overflowed. Before
others by more than this, it leaves the hosts' captures no time."""
COUNTERS = Path("/proc/net/dev")
_DROPPED_ON_SENDING = 11
"""Column of /proc/net/dev behind the name: what the far end of a cable had no room for."""

_RING = struct.Struct("=IIII")
_WORDS: Final = FRAME_ROOM // 4
_STATUS, _LENGTH, _KEPT, _SECONDS, _NANOSECONDS = 0, 1, 2, 4, 5
"""Words of struct tpacket2_hdr, which each frame of the ring begins with. The status is 0 while the
frame is the kernel's."""
LINK_AT: Final = 66
"""Where a frame of Ethernet begins: tpacket_rcv in net/packet/af_packet.c has the network layer
begin at a multiple of 16 behind the header (32), an address (20) and 16 more."""
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
_FREE: Final = memoryview(array("I", bytes(4 * MOST_AT_ONCE)))


class Judge(Protocol):
    """Who decides what is done with the frames that interest it."""

    @property
    def interest(self) -> re.Pattern[bytes] | None:
        """What the beginning of such a frame matches; None while no frame is of interest."""

    def judge(self, side: int, frame: bytes, moment: int) -> None:
        """Do with a frame what is to be done, once those before it have gone.

        side: the number of the port that it came to; moment: when it came (CLOCK_REALTIME, ns).
        """


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
        self._words = memoryview(self._ring).cast("I")
        self._next = 0
        self._prepare_messages()
        self._socket.bind((interface, ETH_P_ALL))
        self.stopped = False
        """Whether the next frame is one that interests the judge."""
        self._cut = 0

    def _prepare_messages(self) -> None:
        """One message for each place in the ring; all that changes is how long the frame is."""
        memory = bytearray(ctypes.sizeof(_Buffer) * FRAMES)
        self._lengths = memoryview(memory).cast("L")[1::2]
        self._messages = (_Message * FRAMES)()
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._ring)) + LINK_AT
        for slot, buffer in enumerate((_Buffer * FRAMES).from_buffer(memory)):
            buffer.base = base + slot * FRAME_ROOM
            self._messages[slot].buffers = ctypes.pointer(buffer)
            self._messages[slot].buffer_count = 1

    def fileno(self) -> int:
        """The descriptor that is readable when a frame waits."""
        return self._socket.fileno()

    def arrived(self) -> int:
        """When the next frame came (CLOCK_REALTIME, ns); 0 when none waits."""
        at = self._next * _WORDS
        if not self._words[at + _STATUS]:
            return 0
        return self._words[at + _SECONDS] * 1_000_000_000 + self._words[at + _NANOSECONDS]

    def take(self) -> bytes:
        """The next frame, which is done with."""
        start = self._next * FRAME_ROOM + LINK_AT
        frame = self._ring[start : start + self._column(_KEPT, 1)[0]]
        self._done(1)
        return frame

    def pass_on(self, to: Port, interest: re.Pattern[bytes] | None) -> int:
        """Send what waits out of the other port, up to the first frame of interest; how many."""
        first, room = self._next, min(MOST_AT_ONCE, FRAMES - self._next)
        statuses = self._column(_STATUS, room).tolist()
        count = statuses.index(0) if 0 in statuses else room
        self.stopped = False
        if interest is not None:
            start = first * FRAME_ROOM + LINK_AT
            places = range(start, start + count * FRAME_ROOM, FRAME_ROOM)
            for place, found in enumerate(map(interest.match, repeat(self._ring), places)):
                if found:
                    self.stopped, count = True, place
                    break
        if count:
            kept = array("L", self._column(_KEPT, count).tolist())
            self._lengths[first : first + count] = memoryview(kept)
            to.send_messages(self._messages, first, count)
            self._done(count)
        return count

    def _column(self, word: int, count: int) -> memoryview:
        """One word of the headers of the next frames."""
        start = self._next * _WORDS + word
        return self._words[start : start + count * _WORDS : _WORDS]

    def _done(self, count: int) -> None:
        """Give the kernel back the places of the next frames."""
        lengths, kept = (self._column(word, count).tolist() for word in (_LENGTH, _KEPT))
        if lengths != kept:
            self._cut += sum(map(int.__ne__, lengths, kept))
        self._column(_STATUS, count)[:] = _FREE[:count]
        self._next = (self._next + count) % FRAMES

    def send_messages(self, messages: ctypes.Array[_Message], first: int, count: int) -> None:
        """Send these; one that the cable's far end has no room for is left out, and counted."""
        end = first + count
        while first < end:
            at = ctypes.byref(messages, first * ctypes.sizeof(_Message))
            number = _LIBC.sendmmsg(self.fileno(), at, end - first, 0)
            if number < 0:
                self._forgive(ctypes.get_errno())
                number = 1
            first += number

    def send(self, frame: bytes) -> None:
        """Send one frame; as :meth:`send_messages`."""
        try:
            self._socket.send(frame)
        except OSError as error:
            self._forgive(error.errno or 0)

    def _forgive(self, number: int) -> None:
        """Only want of room is no error: veth_xmit in drivers/net/veth.c has counted it."""
        if number != errno.ENOBUFS:
            what = f"the wire cannot send at {self.interface}: {os.strerror(number)}"
            raise OSError(number, what)

    def lost(self) -> int:
        """How many frames the ring had no room for since the last time, or not for all of one."""
        data = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _COUNTS.size)
        _, lost = _COUNTS.unpack(data)
        cut, self._cut = self._cut, 0
        return int(lost) + cut


class Relay:
    """Both ports, and what passes between them."""

    def __init__(self, interfaces: tuple[str, str]) -> None:
        with suppress(PermissionError):  # without CAP_SYS_NICE it has to take its turn
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        self.ports = Port(interfaces[0]), Port(interfaces[1])
        self._refused = self._refused_by_now()

    def ready(self, judge: Judge) -> None:
        """Pass on what has come by now."""
        left = MOST_IN_ONE_GO
        while left > 0:
            sides = tuple(enumerate(self.ports))
            passed = sum(port.pass_on(self.ports[1 - side], judge.interest) for side, port in sides)
            stopped = [(port.arrived(), side) for side, port in sides if port.stopped]
            if not (passed or stopped):
                return
            left -= passed
            if stopped:
                left -= self._judge_first(min(stopped), judge)

    def _judge_first(self, first: tuple[int, int], judge: Judge) -> int:
        """Have a frame judged, unless one that came before it still waits; how many were."""
        moment, side = first
        if 0 < self.ports[1 - side].arrived() < moment:
            return 0
        judge.judge(side, self.ports[side].take(), moment)
        return 1

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
