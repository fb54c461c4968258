"""What the plugin leaves behind: a section under a failed scenario, and evidence in files."""

from __future__ import annotations

import os
import platform
import re
import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockstates.plugin.terminal import COLUMNS
from sockstates.record.events import ClockStepped, FramesLost
from sockstates.record.timeline import Timeline
from sockstates.report.folder import write_folder
from sockstates.report.text import changed_settings, ladder, states_table
from sockstates.report.words import circumstance_text
from sockstates.sandbox.client.errors import HostGone
from sockstates.system import system_text
from sockstates.terminal import harmless, harmless_line

if TYPE_CHECKING:
    from sockstates.lab.lab import Lab

LAST_SEGMENTS = 12
UNWRITTEN: pytest.StashKey[list[str]] = pytest.StashKey()
"""What of the report could not be written, until a test's report tells of it."""
EVIDENCE = "lab_evidence"
"""What a guest is told: where evidence is to go that the host can read at once."""


class Reporter:
    """Writes what a scenario leaves behind."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @property
    def _chosen(self) -> str | None:
        chosen: str | None = self._config.getoption("lab_report")
        return chosen

    def folder(self, nodeid: str, temporary: pytest.TempPathFactory) -> Path:
        """Where the evidence of this scenario goes: below --lab-report, or a temporary folder."""
        given = getattr(self._config, "workerinput", {}).get(EVIDENCE)
        base = Path(self._chosen or given or temporary.getbasetemp() / "lab")
        return base / folder_name(nodeid)

    def save(self, lab: Lab, folder: Path) -> None:
        """Write captures and timeline, when asked for."""
        if self._chosen is not None:
            self._write(lab, folder)

    def _write(self, lab: Lab, folder: Path) -> str:
        """Write evidence; where that fails, what to say in its place."""
        try:
            write_folder(lab.timeline, folder)
        except OSError as error:
            reason = f"{error.strerror or error}: {error.filename or folder}"
            if self._chosen is not None:
                self._config.stash[UNWRITTEN].append(reason)
            return f"not written: {reason}"
        return str(folder)

    def explain(self, item: pytest.Item, lab: Lab, folder: Path, report: pytest.TestReport) -> None:
        """Add a section to the report of a failed scenario."""
        with suppress(HostGone):  # what a host recorded until it went is there
            lab.settle()
        lab.count_rules()
        evidence = self._write(lab, folder)
        timeline = lab.timeline
        segments, width = len(timeline.wire), self._config.stash[COLUMNS]
        whole = segments <= LAST_SEGMENTS or self._config.getoption("lab_ladder")
        last, calls = None if whole else LAST_SEGMENTS, self._config.getoption("lab_ladder")
        lines = [
            f"The wire{'' if whole else f', the last {LAST_SEGMENTS} of {segments} segments'}:",
            ladder(timeline, last=last, width=width, until=time.time_ns(), calls=calls),
            "",
            "The endpoints, as last seen:",
            states_table(timeline, width=width),
            "",
            f"kernel    {system_text()}, {platform.machine()}",
            "settings  " + "\n          ".join(changed_settings(timeline) or ["as in every lab"]),
            *(f"CAUTION   {hole}: this run may prove nothing" for hole in holes(timeline)),
            *(f"call      {each.unjudged_failure}" for each in lab.calls if each.unjudged_failure),
            f"evidence  {evidence}",
            f"again     {again_command(item)}",
        ]
        title = harmless_line(f"lab: {timeline.title}")
        report.sections.append((title, harmless("\n".join(lines))))


def folder_name(nodeid: str) -> str:
    """A scenario's own folder: its test's name in letters that every file system takes."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", nodeid.replace(".py::", "-")).strip("-")


def holes(timeline: Timeline) -> list[str]:
    """What the evidence lacks, so that a failure may have another reason than it seems."""
    found = [
        f"{event.host}: {circumstance_text(event)}"
        for event in timeline.events
        if isinstance(event, FramesLost | ClockStepped)
    ]
    if timeline.malformed:
        found.append(
            f"frames that could not be read as the TCP they say they are: {timeline.malformed}"
        )
    return found


def again_command(item: pytest.Item) -> str:
    """What to type, in the folder where pytest was started, to see it again and look inside."""
    _, _, name = item.nodeid.partition("::")
    path = os.path.relpath(item.path, item.config.invocation_params.dir)
    defaults = " --lab-defaults" if item.config.getoption("lab_defaults") else ""
    return f"pytest {shlex.quote(f'{path}::{name}')}{defaults} --lab-keep"
