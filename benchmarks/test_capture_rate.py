"""What the capture keeps of 200,000 small frames a second, on both hosts.

The rate that was reached and what was kept are told. On a machine that has other work to do frames
can be lost; red is a frame that is lost and not counted, because then evidence lacks something and
does not say so.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.found import tell
from sockstates import Host, Lab
from sockstates.record.events import FramesLost

FLOOD = Path(__file__).with_name("flood.py")
RATE = 200_000
COUNT = 200_000
SIZE = 100
LIMIT = 120.0


@pytest.mark.families("ipv4")
def test_each_frame_is_kept_or_counted(benchmark: Any, lab: Lab, client: Host) -> None:
    """A second of it; both hosts keep every frame, or say how many they lost."""

    def flood() -> tuple[int, float]:
        program = client.start([sys.executable, str(FLOOD), "eth0", str(COUNT), str(RATE)])
        program.ends(0, seconds=LIMIT)
        sent, seconds = program.output.split()
        return int(sent), float(seconds)

    sent, seconds = benchmark.pedantic(flood, rounds=1)
    lab.settle()
    kept = {
        host: sum(each.length == SIZE for each in lab.timeline.frames[host]) for host in lab.hosts
    }
    lost = {
        host: sum(
            each.count
            for each in lab.timeline.events
            if isinstance(each, FramesLost) and each.host == host
        )
        for host in lab.hosts
    }
    found = {
        "sent": sent,
        "frames_a_second": round(sent / seconds),
        "kept": kept,
        "counted_as_lost": lost,
    }
    tell(benchmark, found, frames_a_second=RATE, counted_as_lost=0)
    for host in lab.hosts:
        assert kept[host] + lost[host] == sent, f"{host}: what is lost is counted"
