"""Draws the doctor's findings for a terminal. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from sockstates.commands.doctor.findings import Finding, Verdict, will_run
from sockstates.commands.doctor.permissions import Elsewhere

WIDTH = 80
INDENT = 18
"""The columns of verdict and subject."""


def draw(findings: list[Finding], width: int = WIDTH) -> str:
    """The page: one paragraph a finding, and what to type, and the outcome."""
    lines = ["What this machine can do for a lab", ""]
    for finding in findings:
        lines += _paragraph(finding, width)
    return "\n".join([*lines, "", *_outcome(findings, width)]) + "\n"


def _paragraph(finding: Finding, width: int) -> Iterator[str]:
    head = f"  {finding.verdict.value:<4}  {finding.subject:<9}".ljust(INDENT)
    yield from textwrap.wrap(
        finding.text,
        width,
        initial_indent=head,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for command in finding.fix:
        yield from _fix(command, width)


def _fix(fix: str, width: int) -> list[str]:
    """A command line in one piece, however long, so that it can be copied; else a paragraph."""
    indent = " " * INDENT
    if not isinstance(fix, Elsewhere):
        return [f"{indent}$ {fix}"]
    return textwrap.wrap(
        fix,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _outcome(findings: list[Finding], width: int) -> list[str]:
    if will_run(findings):
        return ["`pytest scenarios/` will run here."]
    lacking = [each.subject for each in findings if each.verdict is Verdict.LACKING]
    text = f"`pytest scenarios/` will not run here. Lacking: {', '.join(lacking)}. "
    return textwrap.wrap(text + "Below each is what fixes it.", width)
