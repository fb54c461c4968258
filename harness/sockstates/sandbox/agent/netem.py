"""What netem does to the frames that leave an interface: asked of the present namespace's kernel.

tc-netem(8), net/sched/sch_netem.c, linux/pkt_sched.h. The messages are written here because
pyroute2's netem knows neither the seed nor times and rates of 64 bits. Netem is the interface's
root queueing discipline: a frame comes to it before any packet(7) socket sees the frame as sent.
"""

from __future__ import annotations

import socket
import struct

from sockstates.sandbox.network import gate
from sockstates.sandbox.protocol import NETEM_IS_MISSING, Emulation, Told
from sockstates.sandbox.witnesses.netlink_attributes import attributes

RTM_SETLINK, RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 19, 36, 37, 38
IFLA_GSO_MAX_SEGS, GSO_MAX_SEGS = 40, 65535
NLM_F_REQUEST, NLM_F_EXCL, NLM_F_CREATE, NLM_F_DUMP = 0x1, 0x200, 0x400, 0x300
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS, TCA_STATS2, TCA_STATS_QUEUE = 1, 2, 7, 3
RATE, RATE64, LATENCY64, JITTER64, PRNG_SEED = 6, 8, 10, 11, 14
"""TCA_NETEM_… of linux/pkt_sched.h."""
_TRAFFIC_CONTROL = struct.Struct("=Bxxxi3I")
"""struct tcmsg: family, interface, handle, parent, info."""
_INTERFACE = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, change."""
_SETTINGS = struct.Struct("=6I")
"""struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter."""
_QUEUE = struct.Struct("=5I")
"""struct gnet_stats_queue: length, backlog, drops, requeues, overlimits."""
KIND = b"netem\0"
ROOM = 1 << 20
"""How many frames wait at most; what comes when so many do is lost."""
MOST = 0xFFFFFFFF


def begin(name: str, emulation: Emulation) -> None:
    """Have this done to every frame that leaves the interface.

    Errors: OSError, with one of `NETEM_IS_MISSING` where the kernel has no netem, and EEXIST where
    the interface has one already.
    """
    settings = _SETTINGS.pack(0, ROOM, _share(emulation.loss), 0, 0, 0)
    options = _attribute(TCA_KIND, KIND) + _attribute(TCA_OPTIONS, settings + _further(emulation))
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    gate.send_messages(_message(RTM_NEWQDISC, flags, socket.if_nametoindex(name), options))
    _segments_at_once(name, 1)


def end(name: str) -> None:
    """Have frames leave the interface at once again; those that wait are lost."""
    gate.send_messages(_message(RTM_DELQDISC, NLM_F_REQUEST, socket.if_nametoindex(name)))
    _segments_at_once(name, GSO_MAX_SEGS)


def _segments_at_once(name: str, most: int) -> None:
    """How many segments TCP hands to the interface as one; netem takes what is one for one frame.

    TCP cuts what it sends behind the queueing discipline even where no offload is on, since Linux
    4.17. A connection asks the interface when it is made (sk_setup_caps() in net/core/sock.c).
    """
    index = socket.if_nametoindex(name)
    body = _INTERFACE.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    body += _attribute(IFLA_GSO_MAX_SEGS, struct.pack("=I", most))
    gate.send_messages(_with_header(RTM_SETLINK, NLM_F_REQUEST, body))


def is_known() -> bool:
    """Whether this kernel has netem: tried on loopback, which it is taken from again at once."""
    try:
        begin("lo", Emulation())
    except OSError as error:
        if error.errno in NETEM_IS_MISSING:
            return False
        raise
    end("lo")
    return True


def told(name: str) -> Told:
    """What the kernel says of the interface's netem; LookupError where it has none."""
    index = socket.if_nametoindex(name)
    answer = gate.dump(_message(RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, 0))
    offset = 0
    while offset < len(answer):
        (length,) = struct.unpack_from("=I", answer, offset)
        body = answer[offset + gate.NETLINK_HEADER.size : offset + length]
        found = attributes(body[_TRAFFIC_CONTROL.size :])
        if _TRAFFIC_CONTROL.unpack_from(body)[1] == index and found.get(TCA_KIND) == KIND:
            return _told(found)
        offset += (length + 3) & ~3
    raise LookupError(f"{name} has no netem")


def _told(found: dict[int, bytes]) -> Told:
    queue = attributes(found[TCA_STATS2])[TCA_STATS_QUEUE]
    seed = attributes(found[TCA_OPTIONS][_SETTINGS.size :]).get(PRNG_SEED)
    return Told(
        _QUEUE.unpack_from(queue)[2], None if seed is None else struct.unpack("=Q", seed)[0]
    )


def _further(emulation: Emulation) -> bytes:
    """The attributes behind the fixed settings: nanoseconds, and bytes per second."""
    octets = round((emulation.rate or 0) / 8)
    wishes = (
        (LATENCY64, _nanoseconds(emulation.delay)),
        (JITTER64, _nanoseconds(emulation.jitter)),
        (RATE, octets and struct.pack("=IiIi", min(octets, MOST), 0, 0, 0)),
        (RATE64, octets > MOST and struct.pack("=Q", octets)),
        (PRNG_SEED, emulation.seed is not None and struct.pack("=Q", emulation.seed)),
    )
    return b"".join(_attribute(kind, value) for kind, value in wishes if value)


def _nanoseconds(seconds: float | None) -> bytes:
    return b"" if seconds is None else struct.pack("=q", round(seconds * 1e9))


def _share(fraction: float | None) -> int:
    """A fraction as the kernel has it: of 32 bits; never none where there is to be some."""
    return 0 if fraction is None else max(1, round(fraction * MOST))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _message(kind: int, flags: int, index: int, options: bytes = b"") -> bytes:
    body = _TRAFFIC_CONTROL.pack(socket.AF_UNSPEC, index, 0, TC_H_ROOT, 0) + options
    return _with_header(kind, flags, body)


def _with_header(kind: int, flags: int, body: bytes) -> bytes:
    header = gate.NETLINK_HEADER.pack(gate.NETLINK_HEADER.size + len(body), kind, flags, 0, 0)
    return header + body
