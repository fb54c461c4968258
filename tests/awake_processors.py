"""Processors that are never idle: for tests that count every record of the tracepoints.

The kernel records an event for perf only if the task that runs is not marked as being recorded
already (kernel/events/core.c, get_recursion_context). A kernel was seen on which one processor's
idle task kept such a mark for ever: nothing that a timer did on that processor while it was idle
was recorded, and nothing counted as lost. On top of any other task all of it is recorded.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUSY = "while True: pass"
LONGEST = 60
"""Seconds of processor time after which the kernel ends such a process, whatever happens."""


def _on(processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST))


@contextmanager
def awake_processors() -> Iterator[None]:
    """Inside, a process that takes only time that nobody else wants runs on each processor."""
    busy = [
        subprocess.Popen([sys.executable, "-c", BUSY], preexec_fn=lambda each=each: _on(each))
        for each in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
