"""Naps: pauses by chance in the test process, the agents and the wire, as on a busy machine.

What depends on who is faster fails then, sooner or later, on any machine. ``SOCKSTATES_NAPS`` is
the seed, and turns them on:

    SOCKSTATES_NAPS=7 pytest scenarios/ -n 2

does so in a clone of this repository, whose conftest.py loads this plugin; elsewhere ``-p
tests.naps`` does. A nap comes before a request to a host and after its answer, before the test
process takes in evidence, and in every host before it looks for what to do and before each thing
that it does: read a request, notice that a call has returned, sample, pass a frame on. Nothing else
is changed.

The seed decides how each process naps. What the naps meet, the kernel decides: a run with the same
seed is much like the last one, not the same.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sockstates import Lab
from sockstates.sandbox.agent.agent import Agent, Description
from sockstates.sandbox.client import sandbox
from sockstates.sandbox.client.line import Line
from sockstates.sandbox.process import _Sandbox as Sandbox

PROJECT = str(Path(__file__).parents[1])
SEED = "SOCKSTATES_NAPS"
SHARE = 0.25
"""Of all occasions."""
LONGEST = (0.003, 0.03, 0.1)
"""Seconds, one of these for each process: one is quick while another is slow, and it is a matter of
chance which. No deadline of a scenario comes near."""
RESTED = 2
"""A process is awake for as many times the time that it has napped, or nothing would get done."""


class Napper:
    """One process that naps."""

    def __init__(self, seed: str, name: str) -> None:
        self._chance = random.Random(f"{seed} {name}")
        self._longest = self._chance.choice(LONGEST)
        self._awake_until = 0.0

    def nap(self) -> None:
        """Pause, or not."""
        if self._chance.random() > SHARE or time.monotonic() < self._awake_until:
            return
        length = self._longest * self._chance.random() ** 2
        time.sleep(length)
        self._awake_until = time.monotonic() + RESTED * length

    def before(self, function: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        """The function, with an occasion for a nap before it, and one after it."""

        @wraps(function)
        def napping(*arguments: Any, **named: Any) -> Any:
            self.nap()
            result = function(*arguments, **named)
            if after:
                self.nap()
            return result

        return napping


def in_hosts() -> None:
    """Have every agent that this process gives birth to nap; the wire's too."""
    bear, born, births = Sandbox._bear, Agent.__init__, count()

    def _bear(*arguments: Any) -> Any:
        next(births)
        return bear(*arguments)

    def __init__(self: Agent, description: Description, *rest: Any) -> None:  # noqa: N807
        born(self, description, *rest)
        napper = Napper(os.environ[SEED], f"{births} {description.name}")
        for name in ("_turn", "_handle"):
            setattr(self, name, napper.before(getattr(self, name)))

    patch = pytest.MonkeyPatch()
    patch.setattr(Sandbox, "_bear", _bear)
    patch.setattr(Agent, "__init__", __init__)


def pytest_configure(config: pytest.Config) -> None:
    """Have this process nap, and those that it gives birth to."""
    if SEED not in os.environ:
        raise pytest.UsageError(f"tests.naps: give a seed, such as {SEED}=1")
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    napper = Napper(os.environ[SEED], f"test process {worker}")
    patch = pytest.MonkeyPatch()
    patch.setattr(Line, "ask", napper.before(Line.ask, after=True))
    patch.setattr(Lab, "take_in", napper.before(Lab.take_in))
    found = f"import sys; sys.path.append({PROJECT!r})"
    napping = "from tests.naps import in_hosts; in_hosts()"
    patch.setattr(sandbox, "BORN", f"{found}; {napping}; {sandbox.BORN}")
    config.add_cleanup(patch.undo)


def pytest_report_header() -> str:
    """How to have the same naps again."""
    return f"naps: {SEED}={os.environ[SEED]}"
