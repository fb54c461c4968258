"""The recordings of two runs, as ``--lab-report`` leaves them, scenario by scenario.

Pure: files in, recordings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sockstates.evidence.two_runs import Finding, Run, compare
from sockstates.report.html.results import read_results
from sockstates.report.timeline_file import NAME, read_header, read_timeline
from sockstates.tcp.timers import TICK

HERTZ = re.compile(r"\bHZ (\d+)")
"""As `sockstates.system.system_text` says it of a kernel whose HZ is known."""


def recordings(report: Path, without: str | None = None) -> dict[str, Path]:
    """Scenario's folder -> its timeline, but those with a text in their name.

    Empty where the folder is no report.
    """
    found = {path.parent.name: path for path in sorted(report.glob(f"*/{NAME}"))}
    return {name: path for name, path in found.items() if without is None or without not in name}


def recorded_by(path: Path) -> str:
    """The kernel that recorded a timeline. Raises TimelineFileError, OSError."""
    return read_header(path).recorded_by.get("kernel", "an unknown kernel")


def read_run(path: Path) -> Run:
    """A recording with its kernel's tick. Raises TimelineFileError, OSError."""
    hertz = HERTZ.search(recorded_by(path))
    return Run(read_timeline(path), 1 / int(hertz.group(1)) if hertz else TICK)


def compared(
    first: Path, second: Path, without: str | None = None
) -> Iterator[tuple[str, list[Finding]]]:
    """Every scenario that both reports have, with what its two runs do not have alike.

    Raises TimelineFileError, OSError.
    """
    here, there = recordings(first, without), recordings(second, without)
    verdicts = _verdicts(first), _verdicts(second)
    for name in [each for each in here if each in there]:
        found = compare(read_run(here[name]), read_run(there[name]))
        one, other = (each.get(name, "no verdict") for each in verdicts)
        if one != other:
            found.insert(0, Finding("verdict", one, other))
        yield name, found


def _verdicts(report: Path) -> dict[str, str]:
    return {result.folder: result.verdict for result in read_results(report)}
