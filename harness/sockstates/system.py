"""What a run happens on: the kernel, its ticks, and whose time it keeps."""

from __future__ import annotations

import errno
import os
import platform
import socket
import time

VIRTUAL = "SOCKSTATES_VIRTUAL"
"""Environment variable of every process in a virtual kernel: what there is to say of its clock."""

CLOCK_MONOTONIC_COARSE = 6
"""clock_getres(2): the resolution of this clock is a tick."""


NO_IPV6 = (
    "this kernel has no IPv6: it was started with ipv6.disable=1, or built without CONFIG_IPV6. "
    "What is tested over IPv4 runs all the same"
)


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all. ``disable_ipv6`` of single interfaces is no matter."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


def ticks_a_second() -> int:
    """HZ of the kernel that runs here, as its coarse clock tells it."""
    return round(1 / time.clock_getres(CLOCK_MONOTONIC_COARSE))


def system_text() -> str:
    """The kernel's name and release; in a virtual kernel also that, and its ticks per second."""
    system = f"{platform.system()} {platform.release()}"
    virtual = os.environ.get(VIRTUAL)
    return f"{system}, {virtual}" if virtual else system
