"""How long a lab takes: two hosts with capture and state watching, up and down again.

Beside it, on the same machine and in the same minute, the same namespaces, cable and addresses
made and deleted by ip(8) in a shell: the ratio tells more than the time on a busy machine. Neither
makes it red.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.found import tell
from sockstates import Sandbox, open_lab

ROUNDS = 30
WISHED_MILLISECONDS = "at most 20"
WISHED_RATIO = "at most 1"
BY_HAND = """
ip netns add client && ip netns add server
ip link add eth0 netns client type veth peer name eth0 netns server
ip -n client address add 10.0.0.1/24 dev eth0
ip -n server address add 10.0.0.2/24 dev eth0
ip -n client address add fd00::1/64 dev eth0 nodad
ip -n server address add fd00::2/64 dev eth0 nodad
ip -n client link set lo up
ip -n server link set lo up
ip -n client link set eth0 up
ip -n server link set eth0 up
ip netns delete client && ip netns delete server
"""
SHELL = f"mount -t tmpfs none /run && while read line; do {BY_HAND} echo done; done"


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[str]]:
    """A shell in namespaces of its own that does it by hand, once for each line it reads."""
    rootless = ["--user", "--map-root-user"] if os.getuid() else []
    command = ["unshare", "--net", "--mount", *rootless, "sh", "-c", SHELL]
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | {"PATH": path},
    ) as running:
        yield running
        running.kill()


def _by_hand(shell: subprocess.Popen[str]) -> float:
    """Milliseconds."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    began = time.perf_counter()
    shell.stdin.write("once more\n")
    assert shell.stdout.readline() == "done\n"
    return (time.perf_counter() - began) * 1e3


@pytest.mark.programs("ip")
def test_a_lab_of_two_hosts(benchmark: Any, sandbox: Sandbox, shell: subprocess.Popen[str]) -> None:
    """Up and down, thirty times, each time beside ip(8)."""
    by_hand: list[float] = []

    def up_and_down() -> None:
        with open_lab(sandbox, families=("ipv4", "ipv6")):
            pass

    benchmark.pedantic(
        up_and_down,
        setup=lambda: by_hand.append(_by_hand(shell)),
        rounds=ROUNDS,
        warmup_rounds=2,
    )
    own = statistics.median(benchmark.stats.stats.data) * 1e3
    by_ip = statistics.median(by_hand)
    found = {
        "median_ms": round(own, 2),
        "by_ip_in_a_shell_ms": round(by_ip, 2),
        "ratio": round(own / by_ip, 3),
    }
    tell(benchmark, found, median_ms=WISHED_MILLISECONDS, ratio=WISHED_RATIO)
