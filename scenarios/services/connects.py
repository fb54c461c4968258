"""A client that connects to port 80 of one of several addresses, and says which one it has.

Arguments: "in sequence", or seconds after which the next attempt begins beside the first one, as
RFC 8305 (Happy Eyeballs) has it; then the addresses. It keeps the connection until its input is
over.
"""

import errno
import select
import socket
import sys
import time

stagger = None if sys.argv[1] == "in sequence" else float(sys.argv[1])
began = time.monotonic()
waiting: list[socket.socket] = []
connected = None


def wait(limit: float | None) -> socket.socket | None:
    """The first attempt that succeeds in time; those that have failed wait no more."""
    while waiting:
        done = select.select([], waiting, [], limit)[1]
        if not done:
            return None
        for attempt in done:
            failure = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not failure:
                return attempt
            print(f"{attempt.family.name}: {errno.errorcode[failure]}")
            waiting.remove(attempt)
    return None


for address in sys.argv[2:]:
    new = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    new.setblocking(False)
    new.connect_ex((address, 80))
    waiting.append(new)
    connected = wait(stagger)
    if connected:
        break
connected = connected or wait(None)
if connected:
    waiting.remove(connected)
    for loser in waiting:
        loser.close()
    print(f"{connected.family.name} connected after {time.monotonic() - began:.3f} s")
    sys.stdin.read()
