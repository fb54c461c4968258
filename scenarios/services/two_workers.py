"""Two workers that share port 80 with SO_REUSEPORT; the second one never accepts.

Argument: ipv4 or ipv6. Which of the two gets a connection the kernel finds by a hash of addresses
and ports, with a secret. So that this is known here, a filter (SO_ATTACH_REUSEPORT_CBPF) chooses by
the client's port: an even one is the first worker's, an odd one the second's.
"""

import ctypes
import os
import signal
import socket
import struct
import sys

SO_ATTACH_REUSEPORT_CBPF = 51
LOAD_HALF_WORD, AND, RETURN_IT = 0x28, 0x54, 0x16
FROM_THE_NETWORK_HEADER = 0x100000000 - 0x100000  # SKF_NET_OFF of linux/filter.h
HEADER = {"ipv4": 20, "ipv6": 40}

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
program = b"".join(
    struct.pack("HBBI", *each)
    for each in (
        (LOAD_HALF_WORD, 0, 0, FROM_THE_NETWORK_HEADER + HEADER[sys.argv[1]]),
        (AND, 0, 0, 1),
        (RETURN_IT, 0, 0, 0),
    )
)


def listener() -> socket.socket:
    """A listening socket of its own on the common port."""
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("", 80))
    made.listen(1)
    return made


first = listener()
kept = ctypes.create_string_buffer(program)
described = struct.pack("HxxxxxxP", 3, ctypes.addressof(kept))
first.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, described)
second = os.fork()
if second == 0:
    first.close()
    stuck = listener()
    print("both listen")
    signal.pause()
while True:
    connection, _ = first.accept()
    connection.sendall(connection.recv(100)[::-1])
