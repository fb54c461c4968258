"""What the plugin tells people: sections under a failure, files, progress, labs kept open."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.report.folder import write_folder
from harness.report.text import ladder, states_table

if TYPE_CHECKING:
    from harness.lab.lab import Lab

LAST_SEGMENTS = 12


def _without_capture(config: pytest.Config) -> AbstractContextManager[None]:
    manager = config.pluginmanager.getplugin("capturemanager")
    return manager.global_and_fixture_disabled() if manager else nullcontext()


def _write_terminal(config: pytest.Config, text: str) -> None:
    with _without_capture(config):
        sys.stdout.write(text)
        sys.stdout.flush()


class Reporter:
    """Writes what a scenario leaves behind."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = 0

    def folder(self, item: pytest.Item) -> Path:
        """Where the evidence of this scenario goes."""
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", item.nodeid.replace("/", "-")).strip("-")
        chosen: Path | None = self._config.getoption("lab_report")
        if chosen is not None:
            return chosen / slug
        base = item._request.getfixturevalue("tmp_path_factory")  # type: ignore[attr-defined]
        return Path(base.getbasetemp()) / "lab" / slug

    def save(self, item: pytest.Item, lab: Lab) -> None:
        """Write captures and timeline, when asked for."""
        if self._config.getoption("lab_report") is not None:
            write_folder(lab.timeline, self.folder(item))

    def explain(self, item: pytest.Item, lab: Lab, report: pytest.TestReport) -> None:
        """Add a section to the report of a failed scenario."""
        where = self.folder(item)
        write_folder(lab.timeline, where)
        text = "\n".join(
            [
                states_table(lab.timeline),
                "",
                f"last segments (of {len(lab.timeline.wire)}):",
                ladder(lab.timeline, last=LAST_SEGMENTS),
                "",
                f"evidence   {where}",
                f"again      pytest {item.nodeid!r} --lab-keep",
            ]
        )
        report.sections.append((f"lab: {lab.timeline.title}", text))

    @property
    def progress(self) -> Callable[[str, float, float], None] | None:
        """Tells a person at a terminal what is waited for; None where nobody looks."""
        return self._progress if sys.__stdout__ and sys.__stdout__.isatty() else None

    def _progress(self, awaiting: str, waited: float, limit: float) -> None:
        _write_terminal(
            self._config,
            f"\r\033[K  waiting {waited:.0f} s (at most {limit:.0f} s) for {awaiting}\r",
        )


class KeptLabs:
    """Labs of failed scenarios that stay open until the person is done."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.labs: list[tuple[str, Lab]] = []

    def keep(self, nodeid: str, lab: Lab) -> None:
        """Keep this lab; its scenario is over."""
        self.labs.append((nodeid, lab))
        lab.keep = True

    def wait(self) -> None:
        """Say how to enter every host, and wait for Enter (without a terminal: Ctrl-C)."""
        if not self.labs:
            return
        lines = ["", "labs kept open:"]
        for nodeid, lab in self.labs:
            lines.append(f"  {nodeid}")
            lines += [f"    {name}: {enter_command(host)}" for name, host in lab.hosts.items()]
        lines.append(
            "Enter ends them."
            if sys.__stdin__ and sys.__stdin__.isatty()
            else "Ctrl-C (SIGINT) ends them."
        )
        with _without_capture(self._config):
            print("\n".join(lines), flush=True)
            _wait_for_person()
        for _, lab in self.labs:
            lab.sandbox.close()


def enter_command(host: object) -> str:
    """The shell command that opens a shell on a host."""
    pid, rootless = host.pid, host.user_namespace  # type: ignore[attr-defined]
    user = "--user --preserve-credentials " if rootless else ""
    return f"nsenter --target {pid} {user}--net --mount --pid --uts"


def _wait_for_person() -> None:
    try:
        if sys.__stdin__ and sys.__stdin__.isatty():
            sys.__stdin__.readline()
        else:
            signal.pause()
    except KeyboardInterrupt:
        return
