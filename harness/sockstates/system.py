"""What a run happens on: the kernel, its ticks, and whose time it keeps."""

from __future__ import annotations

import errno
import os
import platform
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

VIRTUAL = "SOCKSTATES_VIRTUAL"
"""Environment variable of every process in a virtual kernel: what there is to say of its clock."""

CLOCK_MONOTONIC_COARSE = 6
"""clock_getres(2): the resolution of this clock is a tick."""


NO_IPV6 = (
    "this kernel has no IPv6: it was started with ipv6.disable=1, or built without CONFIG_IPV6. "
    "What is tested over IPv4 runs all the same"
)

ABSENT = (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT)
"""How socket(2) refuses what the kernel was built without and no module has brought."""


@contextmanager
def kernel_part(part: str, configuration: str, *modules: str) -> Iterator[None]:
    """Have a socket that the kernel does not know name the part that is missing, and what to do.

    Errors: OSError with the kernel's errno, its strerror the whole message.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        raise OSError(error.errno, absent(part, configuration, *modules)) from error


def absent(part: str, configuration: str, *modules: str) -> str:
    """What the kernel lacks, and how to get it."""
    load = f"modprobe {'-a ' if len(modules) > 1 else ''}{' '.join(modules)}"
    return (
        f"this kernel has no {part}. Try `{load}` as root on the machine, outside of any "
        f"container; where there is no such module, use a kernel with {configuration}, or run "
        "with --lab-virtual"
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
