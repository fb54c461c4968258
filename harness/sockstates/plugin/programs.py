"""The marker ``programs``: skips where a program is missing, and says at the end what to install.

It holds for every test that has it, with a lab or without one.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from sockstates.plugin.markers import cannot_run, declared_programs
from sockstates.programs import PACKAGES_BY_PROGRAM, find_program, install_commands, missing_program

MISSING = "missing_program"
"""A report's property: a program that its test was skipped for."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture is made, see whether the programs are here."""
    declared = sorted(declared_programs(item.iter_markers()))
    missing = [name for name in declared if find_program(name) is None]
    if missing:
        item.user_properties += [(MISSING, name) for name in missing]
        raise cannot_run(item.config, "; ".join(filter(None, map(missing_program, missing))))


def packages_lines(terminalreporter: pytest.TerminalReporter, width: int) -> Iterator[str]:
    """Which packages would bring how many of the run's skipped tests back, and how."""
    wanting = [
        {str(name) for key, name in report.user_properties if key == MISSING}
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report, pytest.TestReport)
    ]
    yield from packages_text(wanting, width)


def packages_text(wanting: Iterable[set[str]], width: int) -> Iterator[str]:
    """The lines for skipped tests, each given as the set of the programs that it lacks."""
    lacking = [
        {name: PACKAGES_BY_PROGRAM[name] for name in programs if name in PACKAGES_BY_PROGRAM}
        for programs in wanting
    ]
    needed = Counter(package for each in lacking for package in set(each.values()))
    if not needed:
        return
    count = sum(map(bool, lacking))
    tests = f"{count} skipped test needs" if count == 1 else f"{count} skipped tests need"
    packages = ", ".join(f"{name} ({number})" for name, number in sorted(needed.items()))
    commands = install_commands(needed)
    ending = ". To run them:" if commands else "."
    yield from textwrap.wrap(f"{tests} Debian packages: {packages}{ending}", width)
    yield from (f"  {command}" for command in commands)
