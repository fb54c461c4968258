"""Processors that are never idle: for tests that count every record of the tracepoints.

The kernel records an event for perf only if the task that runs is not marked as being recorded
already (kernel/events/core.c, get_recursion_context). A kernel was seen on which one processor's
idle task kept such a mark for ever: nothing that a timer did on that processor while it was idle
was recorded, and nothing counted as lost. On top of any other task all of it is recorded.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUSY = """
import os, resource, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # the kernel ends it then, whatever happens
print("busy", flush=True)
while True:
    pass
"""


@contextmanager
def awake_processors() -> Iterator[None]:
    """Inside, a process that takes only time that nobody else wants runs on each processor."""
    words = [sys.executable, "-c", BUSY]
    busy = [
        subprocess.Popen([*words, str(each)], stdout=subprocess.PIPE)
        for each in sorted(os.sched_getaffinity(0))
    ]
    try:
        for process in busy:
            assert process.stdout is not None
            assert process.stdout.readline() == b"busy\n"
        yield
    finally:
        for process in busy:
            process.kill()
            process.communicate()
