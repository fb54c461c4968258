"""How long ``show`` takes for a capture of a million packets, beside tshark and the same file.

The ratio of one run is what tells something. Red is only more memory than the file deserves, which
does not depend on what else the machine does.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.found import tell
from tests.judge_captures import FIELDS
from tests.large_capture import write
from tests.module_trees import PROJECT

PACKETS = 1_000_000
MOST_MEMORY = 1024 * 1024
"""KiB."""
NEEDED = (
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.len",
)

pytestmark = pytest.mark.programs("tshark")


def run(command: list[str]) -> tuple[float, float, int]:
    """Seconds on the clock and on a processor, and the most KiB of memory."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=PROJECT
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss


def test_a_million_packets(benchmark: Any, tmp_path: Path) -> None:
    """Beside the time that tshark takes to print the fields; in less than 1 GiB."""
    path = tmp_path / "million.pcap"
    write(path, PACKETS)
    fields = [f"-e{name}" for name in (*FIELDS, *NEEDED)]
    theirs = run(["tshark", "-r", str(path), "-T", "fields", *fields])
    ours = benchmark.pedantic(
        lambda: run([sys.executable, "-m", "sockstates", "show", str(path)]), rounds=1
    )
    found = {
        "packets": PACKETS,
        "show": {"seconds": ours[0], "processor": ours[1], "MiB": ours[2] >> 10},
        "tshark": {"seconds": theirs[0], "processor": theirs[1], "MiB": theirs[2] >> 10},
        "ratio": round(ours[1] / theirs[1], 3),
    }
    tell(benchmark, found, ratio="at most 1")
    assert ours[2] <= MOST_MEMORY, benchmark.extra_info
