"""What the kernel's tracepoints cost: in a lab's life, and of a processor while a lab idles.

Labs with and without that witness are opened in turn, and each is compared with the one right
before it: the median of these differences is what is told. Where there are no tracepoints, both are
alike.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from benchmarks.found import tell
from sockstates import CLOSED, ESTABLISHED, TIME_WAIT, Lab, Sandbox, open_lab

ROUNDS = 40
WISHED_MORE = "at most 10"
"""Milliseconds."""
IDLE_SECONDS = 5.0
WISHED_SHARE = "at most 0.1"


@pytest.fixture
def without() -> Iterator[Sandbox]:
    """A sandbox that does not ask for tracepoints."""
    made = Sandbox(tracepoints=False)
    yield made
    made.close()


def _life(sandbox: Sandbox) -> float:
    """Milliseconds of a lab with one connection, from nothing to nothing."""
    began = time.perf_counter()
    with open_lab(sandbox) as lab:
        connection = lab["client"].connect(lab["server"].listen())
        connection.client.reaches(ESTABLISHED)
        connection.server.reaches(ESTABLISHED)
        connection.client.close()
        connection.server.close()
        connection.client.reaches(TIME_WAIT)
        connection.server.reaches(CLOSED)
        lab.finish()
    return (time.perf_counter() - began) * 1e3


def test_a_lab_s_life(benchmark: Any, sandbox: Sandbox, without: Sandbox) -> None:
    """With the witness, each time beside one without it."""
    bare: list[float] = []
    benchmark.pedantic(
        lambda: _life(sandbox),
        setup=lambda: bare.append(_life(without)),
        rounds=ROUNDS,
        warmup_rounds=2,
    )
    watched = [seconds * 1e3 for seconds in benchmark.stats.stats.data]
    unwatched = bare[-ROUNDS:]
    more = statistics.median(one - two for one, two in zip(watched, unwatched, strict=True))
    found = {
        "tracepoints": sandbox.kernel_watch.missing or "there",
        "with_ms": round(statistics.median(watched), 2),
        "without_ms": round(statistics.median(unwatched), 2),
        "more_ms": round(more, 2),
    }
    tell(benchmark, found, more_ms=WISHED_MORE)


def _processor_seconds(lab: Lab, sandbox: Sandbox) -> float:
    """What this process, the sandbox and the hosts have used so far."""
    pids = {host.pid for host in lab.hosts.values()} | {sandbox.pid, psutil.Process().pid}
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def test_a_lab_that_idles(benchmark: Any, sandbox: Sandbox) -> None:
    """A connection is open, and nobody does anything for five seconds."""
    with ExitStack() as stack:
        lab = stack.enter_context(open_lab(sandbox))
        connection = lab["client"].connect(lab["server"].listen())
        connection.client.reaches(ESTABLISHED)
        connection.server.reaches(ESTABLISHED)
        before = _processor_seconds(lab, sandbox)
        benchmark.pedantic(lambda: lab.pump_until(lambda: False, IDLE_SECONDS), rounds=1)
        share = (_processor_seconds(lab, sandbox) - before) / IDLE_SECONDS
    found = {
        "tracepoints": sandbox.kernel_watch.missing or "there",
        "of_one_processor": round(share, 4),
    }
    tell(benchmark, found, of_one_processor=WISHED_SHARE)
