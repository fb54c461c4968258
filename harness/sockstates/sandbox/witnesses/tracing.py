"""Opening the kernel's tracepoints, in the sandbox: which there are, and why there are none.

What is opened lives as long as the sandbox; who reads it is `kernel_watch`, in the test process.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from sockstates.sandbox.witnesses.event_format import FormatError, parse_format
from sockstates.sandbox.witnesses.perf_events import (
    OpenEvents,
    online_processors,
    open_events,
    ring_size,
)
from sockstates.sandbox.witnesses.tracefs import read_format, tracefs
from sockstates.sandbox.witnesses.tracepoints import Tracepoints, What, choose

PRIVILEGE = (
    "reading the kernel's tracepoints is for the machine's root (CAP_SYS_ADMIN and CAP_PERFMON "
    "outside of every user namespace): run as root, in a container with --cap-add=SYS_ADMIN "
    "--cap-add=PERFMON"
)
TURNED_OFF = "turned off for this sandbox"


@dataclass(frozen=True, slots=True)
class Watched:
    """What the sandbox opened: how to read it, or why there is nothing to read."""

    tracepoints: Tracepoints = field(default_factory=lambda: Tracepoints({}))
    size: int = 0
    """Octets of one ring."""
    missing: str = ""


def look_for() -> Tracepoints:
    """The tracepoints of the running kernel; raises OSError, FormatError."""
    with tracefs() as top:
        texts = {what: read_format(top, what.value) for what in What}
    return choose(
        {what: None if text is None else parse_format(text) for what, text in texts.items()}
    )


def open_in_sandbox(size: int, most: int) -> tuple[Watched, OpenEvents]:
    """Have the kernel record; what was opened must be kept for it. Says what it could not do.

    `size` of a ring in bytes (0: by the number of processors), on `most` processors at most.
    """
    if len(online_processors()) > most:
        return Watched(missing=f"this machine has more than {most} processors"), OpenEvents()
    try:
        found = look_for()
        if What.STATE not in found.formats:
            return Watched(missing=found.missing[What.STATE]), OpenEvents()
        opened = open_events(found.wanted(), size)
    except (OSError, FormatError) as error:
        return Watched(missing=refusal(error)), OpenEvents()
    return Watched(found, size or ring_size(len(opened.rings))), opened


def refusal(error: OSError | FormatError) -> str:
    """Why there are no tracepoints, and what to do about it."""
    if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES):
        return f"{error.strerror}. {PRIVILEGE[0].upper()}{PRIVILEGE[1:]}"
    if isinstance(error, OSError) and error.errno in (errno.ENODEV, errno.ENOENT, errno.ENOSYS):
        return (
            f"{error}: this kernel is built without tracepoints (CONFIG_FTRACE, CONFIG_PERF_EVENTS)"
        )
    return str(error)
