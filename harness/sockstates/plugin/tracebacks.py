"""Tracebacks that end where the scenario's reader can do something: at the scenario's own line.

What our words raise says everything in its message. Where in the harness it was raised is noise
then, and pdb would open in the wrong place. Everything else keeps its whole traceback, and with
``--full-trace`` so does this.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.network.topology import TopologyError
from sockstates.sandbox.rules.errors import (
    RuleNotAppliedError,
    RuleScopeError,
    RuleSyntaxError,
    UnknownHostError,
)
from sockstates.tcp.matching import UnknownHost
from sockstates.tcp.reading import NotationError
from sockstates.tcp.states import UnknownState
from sockstates.terminal import harmless, harmless_line

SPEAK_FOR_THEMSELVES = (
    ExpectationFailed,
    Inconclusive,
    LabError,
    NotationError,
    RuleNotAppliedError,
    RuleScopeError,
    RuleSyntaxError,
    TopologyError,
    UnknownHost,
    UnknownHostError,
    UnknownState,
)
"""What scenarios meet by their own words, as opposed to errors in ours."""

HARNESS = str(Path(__file__).parents[1]) + "/"


def shorten(error: BaseException) -> None:
    """Cut the error's traceback where the scenario called the harness; its cause is in its text."""
    error.__traceback__ = _without_tail(error.__traceback__)
    error.__cause__ = None
    error.__suppress_context__ = True


def _without_tail(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback up to the last frame that is not ours: the chain is linked anew."""
    frames: list[TracebackType] = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    last = max((n for n, each in enumerate(frames) if not _is_ours(each)), default=len(frames) - 1)
    shortened: TracebackType | None = None
    for each in reversed(frames[: last + 1]):
        shortened = TracebackType(shortened, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return shortened


def _is_ours(traceback: TracebackType) -> bool:
    return traceback.tb_frame.f_code.co_filename.startswith(HARNESS)


def make_harmless(shown: Any) -> Any:
    """What pytest shows of a failure, without control characters in what the error quotes.

    A message may hold what a program has printed, or a name in somebody's capture.
    """
    if isinstance(shown, str):
        return harmless(shown)
    for traceback, crash, _ in getattr(shown, "chain", ()):  # pytest's ExceptionChainRepr
        if crash is not None:
            crash.message = harmless(crash.message)
        for entry in traceback.reprentries:
            entry.lines[:] = map(harmless_line, entry.lines)
    return shown
