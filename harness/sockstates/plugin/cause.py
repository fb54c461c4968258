"""Could it have failed? ``--lab-without-cause`` runs every scenario with its cause withheld.

A scenario is proof of something only if it fails where the cause of what it shows is absent, and
by an expectation: that is what passes here. One that still passes, crashes, cannot decide, or
never comes to the cause that it names fails. So does one whose expectation fails only because what
it is about was never there: a program that was not started prints nothing, whatever it would have
printed. Nothing here touches the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.lab.lab import Lab
from sockstates.lab.withholding import Withholding
from sockstates.plugin.fixtures import UNSAID
from sockstates.plugin.markers import cause_of
from sockstates.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Generator

WITHHELD, FAILED_BY, PROVES_NOTHING = "withheld", "failed_by", "proves_nothing"
"""Properties of a test's report, which workers and JUnit files carry."""

WITHHOLDING = pytest.StashKey[Withholding]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of this room."""
    parser.getgroup("lab", "TCP socket state labs").addoption(
        "--lab-without-cause",
        action="store_true",
        help="run every scenario with its cause withheld (pytest.mark.cause): it must then fail, "
        "by an expectation, and is red if it still passes",
    )


class Failure(NamedTuple):
    """An expectation that failed, and what it says in one line."""

    error: BaseException
    text: str


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Have the scenario fail; a test without a lab is no scenario, and runs as ever."""
    lab = _lab_of(item)
    if lab is None:
        yield
        return
    marker = item.get_closest_marker("cause")
    cause = cause_of(marker)
    if cause is None or marker is None:
        pytest.fail(
            "names no cause: say which call is the cause of what it shows, for example with\n"
            '  pytest.mark.cause("client.iptables")',
            pytrace=False,
        )
    stands_for = marker.kwargs.get("stands_for")
    said = f"{cause} ({stands_for})" if stands_for else str(cause)
    item.user_properties.append((WITHHELD, said))
    withholding = item.stash[WITHHOLDING] = Withholding(cause)
    failures: list[Failure] = []
    with _expected_to_fail(item, failures), withholding.active():
        yield
    _judge(withholding, lab, failures)
    item.user_properties.append((FAILED_BY, failures[0].text))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """See what failed while the traceback still leads there."""
    try:
        return (yield)
    except BaseException as error:
        if withholding := pyfuncitem.stash.get(WITHHOLDING, None):
            withholding.notice(error)
        raise


def _lab_of(item: pytest.Item) -> Lab | None:
    """The scenario's lab, where the option is given and this is a scenario: a test with a lab."""
    lab = item.funcargs.get("lab") if isinstance(item, pytest.Function) else None
    return lab if item.config.getoption("lab_without_cause") and isinstance(lab, Lab) else None


@contextmanager
def _expected_to_fail(item: pytest.Item, failures: list[Failure]) -> Iterator[None]:
    """Keep what an expectation of the scenario says when it fails; any other error goes on."""
    try:
        yield
    except ExpectationFailed as error:
        failures.append(Failure(error, _first_line(error)))
    except AssertionError as error:
        if not _is_the_scenarios_own(item, error):
            raise
        failures.append(Failure(error, _first_line(error)))
    except pytest.fail.Exception:
        unsaid = item.stash.get(UNSAID, None)
        if not isinstance(unsaid, ExpectationFailed):
            raise
        failures.append(Failure(unsaid, f"at its end: {_first_line(unsaid)}"))


def _is_the_scenarios_own(item: pytest.Item, error: AssertionError) -> bool:
    """Whether an ``assert`` of the scenario's file, or of its conftest.py, failed; no library's."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    file = Path(traceback.tb_frame.f_code.co_filename)
    return file == item.path or (file.name == "conftest.py" and file.parent in item.path.parents)


def _judge(withholding: Withholding, lab: Lab, failures: list[Failure]) -> None:
    """Fail the run of a scenario that has not shown that its expectations depend on its cause."""
    cause = withholding.cause
    if withholding.times == 0:
        end = f"it fails without that, too: {failures[0].text}" if failures else "it passed"
        pytest.fail(f"names a cause that it never reaches: {cause}; {end}", pytrace=False)
    if not failures:
        pytest.fail(
            f"still passes without its cause, {cause}: it proves nothing.\n"
            "Expect something that only the cause can bring about, or name the call that is it.",
            pytrace=False,
        )
    missing = withholding.missing(failures[0].error, lab)
    if missing:
        pytest.fail(
            f"proves nothing: without its cause, {cause}, there is not even {missing} that an "
            f"expectation could be about: {failures[0].text}\n"
            "Name what makes the difference instead: another call, or a part of this one that is "
            "left out or replaced, for example with\n"
            '  pytest.mark.cause("client.start", without="--max-time 2")\n'
            '  pytest.mark.cause("server.listen", without="backlog", instead=5)',
            pytrace=False,
        )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in one line what is wrong with a scenario that did not fail by an expectation."""
    report = yield
    if report.when == "call" and report.failed and call.excinfo and _lab_of(item):
        property_ = (PROVES_NOTHING, _problem(item.stash.get(UNSAID, call.excinfo.value)))
        item.user_properties.append(property_)
        report.user_properties.append(property_)
    return report


def _problem(error: BaseException) -> str:
    if isinstance(error, pytest.fail.Exception):
        return _first_line(error)
    if isinstance(error, Inconclusive):
        return f"cannot decide: {_first_line(error)}"
    return f"crashes, and no expectation fails: {type(error).__name__}: {_first_line(error)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List each scenario, the cause withheld and what failed then; and what did not fail so."""
    config = terminalreporter.config
    if not config.getoption("lab_without_cause"):
        return
    told = [
        (report.nodeid, {name: str(value) for name, value in report.user_properties})
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport)
    ]
    width = config.get_terminal_writer().fullwidth
    rows = _rows((name, said) for name, said in told if FAILED_BY in said)
    problems = [f"{name}: {said[PROVES_NOTHING]}" for name, said in told if PROVES_NOTHING in said]
    if rows:
        terminalreporter.section("without its cause, each of these failed as it must")
        for name, what in rows:
            terminalreporter.line(name)
            for line in wrap(what, width, initial_indent=" " * 4, subsequent_indent=" " * 8):
                terminalreporter.line(harmless(line))
    if problems:
        terminalreporter.section("without its cause, these proved nothing")
        for problem in problems:
            terminalreporter.line(harmless(problem), red=True)


def _rows(told: Iterable[tuple[str, dict[str, str]]]) -> list[tuple[str, str]]:
    """The scenario's name, and the cause with what failed.

    One row for all parameters (address families) that fail alike: times and ports aside.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for nodeid, said in told:
        name, _, parameters = nodeid.partition("[")
        alike = re.sub(r"\d+", "", said[FAILED_BY])
        groups.setdefault((name, said[WITHHELD], alike), []).append(
            (parameters.rstrip("]"), said[FAILED_BY])
        )
    return [
        (f"{name}[{', '.join(each for each, _ in sorted(runs))}]", f"{cause}: {min(runs)[1]}")
        for (name, cause, _), runs in sorted(groups.items())
    ]
