"""A virtual kernel: from its start to the first test, and all scenarios with default timers.

Wished are a second and a minute, on two processors that have nothing else to do; what was reached
is told beside each. Red is only a run that fails.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.found import tell
from sockstates.virtual.errors import KernelMissing
from sockstates.virtual.kernels import find

PROJECT = Path(__file__).parents[1]
ONE = "scenarios/opening/test_syn_sent.py::test_syn_sent_until_the_firewall_opens"
SAID = re.compile(
    r"virtual time: ([\d,]+) kernel seconds in ([\d.]+) s, .*began after ([\d.]+) s", re.DOTALL
)
FIRST_TEST, EVERYTHING = "at most 1", "at most 60"
"""Seconds of the machine's clock."""


def run(*arguments: str) -> tuple[float, float, float]:
    """Kernel seconds, seconds, and seconds until the first test."""
    try:
        find(None)
    except KernelMissing as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, *arguments, "--lab-virtual"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    said = SAID.search(ran.stdout)
    assert said is not None, ran.stdout
    kernel_seconds, seconds, first = (float(each.replace(",", "")) for each in said.groups())
    return kernel_seconds, seconds, first


def test_the_first_test_begins_soon(benchmark: Any) -> None:
    """Boot, Python, pytest, what it loads, and one file of scenarios."""
    found = benchmark.pedantic(lambda: [run(ONE)[2] for _ in range(3)], rounds=1)
    tell(
        benchmark,
        {"seconds_until_the_first_test": min(found)},
        seconds_until_the_first_test=FIRST_TEST,
    )


def test_default_timers_take_a_minute(benchmark: Any) -> None:
    """Hours of the kernel's time."""
    arguments = ("scenarios", "--lab-defaults", "-n", "2")
    kernel_seconds, seconds, _ = benchmark.pedantic(run, arguments, rounds=1)
    found = {"kernel_seconds": kernel_seconds, "seconds": seconds}
    tell(benchmark, found, seconds=EVERYTHING)
