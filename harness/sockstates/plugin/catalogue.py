"""``--lab-catalogue``: the page that lists every entry, made from the scenarios' markers.

And checks what the markers say: each time that a scenario with ``phenomenon`` has passed,
the states and errors that it names are held against the evidence of its run. Nothing here judges.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockstates.catalogue.entries import Entry
from sockstates.catalogue.facts import hold
from sockstates.catalogue.page import catalogue_page
from sockstates.commands.predict import prediction_of
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.plugin.entries import facts_of
from sockstates.plugin.fixtures import LAB, UNSAID
from sockstates.plugin.ledger import FOLDERS
from sockstates.plugin.transitions import ran_all
from sockstates.terminal import harmless_line

if TYPE_CHECKING:
    from collections.abc import Generator

PAGE = "README.md"
"""The catalogue's name in the folder of the scenarios."""
WAYS = ("print", "write", "check")
FAMILY = re.compile(r"(?:^|-)ipv[46](?=-|$)")
"""The address family in what pytest calls the parameters of a test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--lab-catalogue``."""
    parser.getgroup("lab").addoption(
        "--lab-catalogue",
        nargs="?",
        const="print",
        metavar="|".join(WAYS),
        help="run nothing; make the catalogue of timeouts from the scenarios' markers and print "
        f"it, write it ({PAGE} in the folder of the scenarios), or check that it is current: exit "
        "with 1 and the difference where it is not",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Nothing is run, so there is nothing for workers to do."""
    way = config.getoption("lab_catalogue")
    if way is None:
        return
    if way not in WAYS:
        raise pytest.UsageError(
            f"--lab-catalogue={way}: it is one of {', '.join(WAYS)}; without one it stands behind "
            f"the paths: pytest {way} --lab-catalogue"
        )
    if config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = 0
        config.option.dist = "no"
        config.option.tx = []


def pytest_configure(config: pytest.Config) -> None:
    """Make the page only when asked to, and of all scenarios or of none."""
    if config.getoption("lab_catalogue") is None:
        return
    folders = config.stash[FOLDERS]
    if not ran_all(config, folders):
        raise pytest.UsageError(
            "--lab-catalogue: the catalogue is made from all scenarios; name their whole folder, "
            f"and no selection: pytest {' '.join(map(str, folders))} --lab-catalogue=…"
        )
    config.pluginmanager.register(_Page(config), "lab-catalogue")


class _Page:
    """Makes the page instead of running anything."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._said: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Print, write or compare; True: there is nothing else to run."""
        if session.testsfailed:
            return None  # pytest says that it could not collect everything
        for folder in self._config.stash[FOLDERS]:
            text = catalogue_page(entries_of(session.items, folder), prediction_of)
            if not self._done(folder / PAGE, text, self._config.getoption("lab_catalogue")):
                session.testsfailed += 1
        return True

    def _done(self, path: Path, text: str, way: str) -> bool:
        shown = self._shown(path)
        if way == "print":
            self._said += text.splitlines()
            return True
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if way == "write":
            path.write_text(text, encoding="utf-8")
            self._said.append(f"{shown} is {'as it was' if there == text else 'written anew'}")
            return True
        if there == text:
            self._said.append(f"{shown} is current")
            return True
        names = f"{shown} as it is", f"{shown} as the scenarios say"
        lines = there.splitlines(), text.splitlines()
        self._said += difflib.unified_diff(*lines, *names, lineterm="")
        self._said.append(f"{shown} is not what the scenarios say. To update it:")
        self._said.append(f"    pytest {self._shown(path.parent)} --lab-catalogue=write")
        return False

    def _shown(self, path: Path) -> str:
        root = self._config.rootpath
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was done."""
        terminalreporter.section("the catalogue of timeouts")
        for line in self._said:
            terminalreporter.write_line(harmless_line(line))


def entries_of(items: Iterable[pytest.Item], folder: Path) -> list[Entry]:
    """What the markers of the scenarios below `folder` say, each once for all address families."""
    found: dict[Entry, None] = {}
    for item in items:
        if item.path.is_relative_to(folder):
            found |= dict.fromkeys(_entries(item, item.path.relative_to(folder).as_posix()))
    return list(found)


def _entries(item: pytest.Item, file: str) -> Iterator[Entry]:
    for facts in facts_of(item.iter_markers()):
        yield Entry(facts, _title(item), file, item.name.partition("[")[0], _variant(item))


def _title(item: pytest.Item) -> str:
    told = [getattr(getattr(item, name, None), "__doc__", "") for name in ("function", "module")]
    return str(next((text for text in told if text), item.name)).strip().splitlines()[0]


def _variant(item: pytest.Item) -> str:
    """The parameter's name, where that has a marker of its own."""
    marks = getattr(getattr(item, "callspec", None), "marks", ())
    if not any(mark.name == "phenomenon" for mark in marks):
        return ""
    return FAMILY.sub("", item.name.partition("[")[2].removesuffix("]")).strip("-")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """When a scenario has passed, its run must have shown what its marker says.

    Not where its cause was withheld: then its own expectations have to fail.
    """
    yield
    if LAB not in item.stash or item.config.getoption("lab_without_cause"):
        return
    lab = item.stash[LAB]
    try:
        for facts in facts_of(item.iter_markers()):
            hold(facts, lab.timeline, tuple(lab.hosts))
    except (ExpectationFailed, Inconclusive) as error:
        item.stash[UNSAID] = error
        problem = f"{type(error).__name__}: {error}"
    else:
        return
    pytest.fail(f"at the scenario's end: {problem}", pytrace=False)
