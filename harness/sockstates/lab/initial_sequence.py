"""Choosing a connection's first sequence number, which the kernel otherwise takes from its clock.

Options for a socket before it connects; tells the kernel nothing else. Linux: TCP_REPAIR (tcp(7),
include/uapi/linux/tcp.h), which needs CAP_NET_ADMIN over the host, as a lab's own root has.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
SEND_QUEUE = 2


def first_number(number: int) -> Sequence[tuple[int, int, int]]:
    """Options for :meth:`Host.connect`: the SYN's sequence number is this one (1 to 2**31 - 1).

    The socket is in repair mode only while the number is set; then it connects as any other.
    """
    steps = ((TCP_REPAIR, 1), (TCP_REPAIR_QUEUE, SEND_QUEUE), (TCP_QUEUE_SEQ, number))
    return [(socket.IPPROTO_TCP, name, value) for name, value in (*steps, (TCP_REPAIR, 0))]
