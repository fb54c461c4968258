"""tcpdump with the article's command lines, and beside it our own capture with the same words.

What both show is compared line by line, so that neither is taken at its word.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest

from sockstates import Direction, FilteredCapture, Host, Program
from sockstates.tcp.tcpdump_output import Style

AT_ONCE = ("-Z", "root", "-l", "--immediate-mode", "-B", "4096")
"""Root of the lab stays root (rootless there is nobody else); each line is printed at once; and
there is room for more than the eight frames that tcpdump otherwise keeps."""
FIRST_WORD_IS_TIME = "tcpdump prints the time first, and each witness has its own moment"


class Tcpdump(NamedTuple):
    """A running tcpdump, and our capture of the same."""

    program: Program
    ours: FilteredCapture
    style: Style

    def shows(self) -> list[str]:
        """End it when it has printed as much as we have: its lines, which are ours too."""
        expected = [line.partition(" ")[2] for line in self.ours.lines(self.style)]
        lab = self.program.host.lab
        lab.wait_until(
            lambda: self.program.output.count(b"\n") >= len(expected), str(self.program), None
        )
        self.program.interrupt()
        self.program.ends(0)
        self.program.prints("\n0 packets dropped by kernel")
        printed = [line for line in self.program.output.decode().splitlines() if line]
        texts = [line.partition(" ")[2].partition(": HTTP")[0] for line in printed]
        assert Counter(texts) == Counter(expected), FIRST_WORD_IS_TIME
        return printed


@pytest.fixture
def tcpdump() -> Callable[..., Tcpdump]:
    """Start tcpdump on a host with these words, ``-i any -nn port 80``, and wait until it listens.

    What stands behind -nn (or -nnS) is the filter, and ours is given it as well.
    """

    def start(host: Host, words: str, direction: Direction = "inout") -> Tcpdump:
        options = shlex.split(words)
        end = next(index for index, word in enumerate(options) if word.startswith("-nn")) + 1
        interface = options[options.index("-i") + 1]
        expression = " ".join(options[end:])
        program = host.start(["tcpdump", *AT_ONCE, *options])
        program.prints("listening on")
        ours = host.capture(expression, direction=direction, interface=interface)
        return Tcpdump(program, ours, Style(absolute=options[end - 1] == "-nnS"))

    return start
