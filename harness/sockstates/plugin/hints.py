"""What is added to Python's and pytest's own words where a scenario's mistake is a slip.

A name that is not imported, a marker or a fixture that there is not: what may have been meant.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sockstates import __all__ as exported
from sockstates.lab.words import kinds
from sockstates.plugin.markers import MARKERS
from sockstates.tcp.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Generator

FIXTURES = ("lab", "client", "server", "router", "wire")
OWN_MARKERS = [line.partition("(")[0] for line in MARKERS]
_NAME = re.compile(r"name '(\w+)' is not defined")
_IMPORT = re.compile(r"cannot import name '(\w+)' from '(sockstates)'")
_MARKER = re.compile(r"'(\w+)' not found in `markers` configuration option")
_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_CALL = re.compile(r"^(\w+)\.(\w+)\(\) (?:got|takes|missing)")
TITLE = "what may have been meant"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Add to an error of Python's in a scenario what it does not know."""
    try:
        yield
    except (NameError, ImportError, TypeError) as error:
        for hint in hints(str(error)):
            error.add_note(hint)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same where a file of scenarios cannot be read."""
    report = yield
    if report.failed:
        report.sections += [(TITLE, hint) for hint in hints(str(report.longrepr))]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The same for a fixture."""
    report = yield
    if report.failed and report.when == "setup":
        report.sections += [(TITLE, hint) for hint in hints(report.longreprtext)]
    return report


def hints(text: str) -> Iterator[str]:
    """What there is to say of an error's text; in most cases nothing."""
    for found in _NAME.finditer(text):
        yield from _imports(found[1], "is not imported")
    for found in _IMPORT.finditer(text):
        yield from _imports(found[1], f"is not in {found[2]}")
    for found in _MARKER.finditer(text):
        if meant := nearest(found[1], OWN_MARKERS):
            yield f"Did you mean pytest.mark.{' or pytest.mark.'.join(meant)}?"
    for found in _FIXTURE.finditer(text):
        if meant := nearest(found[1], FIXTURES):
            yield f"Did you mean the fixture {' or '.join(meant)}?"
    if call := _CALL.search(text):
        yield from _signature(call[1], call[2])


def _imports(name: str, problem: str) -> Iterator[str]:
    """Where a name is to be imported from, or the nearest one."""
    if name in exported:
        yield f"{name} {problem}: from sockstates import {name}"
    elif meant := nearest(name, exported):
        ways = " or ".join(f"from sockstates import {each}" for each in meant)
        yield f"There is no {name}. Did you mean {' or '.join(meant)}? ({ways})"


def _signature(owner: str, word: str) -> Iterator[str]:
    """How a word of ours is called."""
    for kind in kinds():
        if owner in (each.__name__ for each in kind.__mro__) and hasattr(kind, word):
            taken = inspect.signature(getattr(kind, word))
            bare = [_bare(each) for each in list(taken.parameters.values())[1:]]
            yield f"The call is written: {word}{inspect.Signature(bare)}"
            return


def _bare(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter without its type, and with its default left out."""
    default = parameter.default
    return parameter.replace(
        annotation=parameter.empty, default=default if default is parameter.empty else _LEFT_OUT
    )


class _LeftOut:
    def __repr__(self) -> str:
        return "…"


_LEFT_OUT = _LeftOut()
