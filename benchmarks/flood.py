"""Sends many small Ethernet frames at a steady rate: ``flood.py INTERFACE COUNT RATE [FRAME]``.

A program for a host of a lab; it needs nothing but Python. sendmmsg(2) on a packet(7) socket, so
that one call sends a thousand frames. Prints how many it sent and in how many seconds.
"""

import ctypes
import select
import socket
import sys
import time

BATCH = 1000
SIZE = 100
ETHERTYPE = 0x88B5
"""IEEE 802: local experimental, which no stack answers."""


class Buffer(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """``struct mmsghdr``; sendmmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("buffers", ctypes.POINTER(Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


def main(interface: str, count: int, rate: int, frame: bytes) -> None:
    """Send `count` frames, `rate` a second: a batch whenever one is due."""
    libc = ctypes.CDLL(None, use_errno=True)
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((interface, ETHERTYPE))
    buffer = Buffer(frame, len(frame))
    messages = (Message * BATCH)(
        *(Message(buffers=ctypes.pointer(buffer), buffer_count=1) for _ in range(BATCH))
    )
    began, sent = time.monotonic(), 0
    nobody = select.poll()
    while sent < count:
        due = began + sent / rate - time.monotonic()
        if due > 0:
            nobody.poll(due * 1000)
        number = libc.sendmmsg(sender.fileno(), messages, min(BATCH, count - sent), 0)
        if number < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        sent += number
    print(sent, time.monotonic() - began, flush=True)


if __name__ == "__main__":
    header = b"\xff" * 6 + b"\2" + bytes(5) + ETHERTYPE.to_bytes(2, "big")
    chosen = bytes.fromhex(sys.argv[4]) if sys.argv[4:] else header + bytes(SIZE - len(header))
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), chosen)
