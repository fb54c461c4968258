"""How soon `reaches` returns after the state has changed.

The change is dated by the capture: the connection of the client is ESTABLISHED when the SYN-ACK has
come in; whatever passes from there until `reaches` returns is the harness's own slowness.
"""

import statistics
import time
from typing import Any

import pytest

from benchmarks.found import tell
from sockstates import ESTABLISHED, Host, Lab

CONNECTIONS = 50
WISHED = "at most 5"
"""Milliseconds."""


@pytest.mark.families("ipv4")
def test_from_the_change_of_a_state_to_reaches(
    benchmark: Any, lab: Lab, client: Host, server: Host
) -> None:
    """Fifty connections; the median counts."""
    listener = server.listen(backlog=CONNECTIONS + 10)
    returned: list[int] = []

    def connect() -> None:
        client.connect(listener).client.reaches(ESTABLISHED)
        returned.append(time.time_ns())

    benchmark.pedantic(connect, rounds=CONNECTIONS)
    lab.settle()
    changed = [each.time for each in lab.timeline.arrived["client"] if each.flags == "S."]
    assert len(changed) == len(returned)
    reactions = [(end - begin) / 1e6 for begin, end in zip(changed, returned, strict=True)]
    median = statistics.median(reactions)
    found = {
        "median_ms": round(median, 2),
        "least_ms": round(min(reactions), 2),
        "most_ms": round(max(reactions), 2),
    }
    tell(benchmark, found, median_ms=WISHED)
