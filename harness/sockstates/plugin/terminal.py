"""What a person at a terminal is told while a scenario waits; nobody else is told anything."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext

import pytest

from sockstates.terminal import harmless_line

COLUMNS = pytest.StashKey[int]()
"""How wide diagrams are drawn, in this process of the run as in all others."""

_CLEAR = "\033[K"
_UP = "\033[A"


def without_capture(config: pytest.Config) -> AbstractContextManager[None]:
    """Inside, what is printed reaches the terminal."""
    manager = config.pluginmanager.getplugin("capturemanager")
    return manager.global_and_fixture_disabled() if manager else nullcontext()


def has_terminal(config: pytest.Config) -> bool:
    """Whether this process writes to a terminal that can move its cursor.

    A worker of pytest-xdist never does, although its standard output may well be one: it has no
    terminal reporter.
    """
    if not config.pluginmanager.hasplugin("terminalreporter"):
        return False
    with without_capture(config):
        return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Progress:
    """A line below pytest's own one, that says what is waited for, and goes when it is there.

    pytest's line stays as it is: the cursor returns to where it was. Below, because pytest may
    have filled its own line; at the bottom of the screen both lines move up together.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = False

    def waiting(self, awaiting: str, waited: float, limit: float) -> None:
        """Show what is awaited, for how long by now, and until when at most."""
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + limit - waited))
        self._write_below(f"  waiting {waited:.0f} s, until {until} at most, for {awaiting}")
        self._shown = True

    def over(self) -> None:
        """Take the line away, where there is one."""
        if self._shown:
            self._write_below("")
        self._shown = False

    def _write_below(self, text: str) -> None:
        writer = self._config.get_terminal_writer()
        column = writer.width_of_current_line % writer.fullwidth + 1
        shown = harmless_line(text)[: writer.fullwidth - 1]
        with without_capture(self._config):
            sys.stdout.write(f"\n\r{_CLEAR}{shown}\r{_UP}\033[{column}G")
            sys.stdout.flush()
