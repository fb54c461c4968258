"""Where the ledger of claims is, and that scenarios name none that it does not have.

The ledger is the folder ``claims`` beside the scenarios that are run, or what ``--lab-ledger``
names. Nothing here judges a claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockstates.ledger.claims import Ledger
from sockstates.ledger.reading import LedgerError, read_ledger
from sockstates.plugin.markers import WrongMarkerError, claims_of
from sockstates.plugin.transitions import ran_all

LEDGER = pytest.StashKey[Ledger]()
"""The claims that are known; without articles where there is no ledger."""
FOLDERS = pytest.StashKey[list[Path]]()
"""Where the scenarios lie that the ledger is about."""
BESIDE = "claims"
"""The name of the folder."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--lab-ledger``."""
    parser.getgroup("lab").addoption(
        "--lab-ledger",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder with claims, one TOML file for each article, that scenarios may name; "
        "without it the folder 'claims' beside the scenarios, where there is one",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the ledger, before anything is collected; a wrong entry ends the run."""
    started = config.invocation_params.dir
    named = [(started / each).resolve() for each in config.getoption("lab_ledger")]
    for folder in named:
        if not any(folder.glob("*.toml")):
            raise pytest.UsageError(
                f"--lab-ledger {folder}: "
                + ("no *.toml is in this folder" if folder.is_dir() else "there is no such folder")
                + "; each article's claims are one TOML file"
            )
    beside = [] if named else list(dict.fromkeys(_beside(config)))
    testpaths = [(config.rootpath / each).resolve() for each in config.getini("testpaths")]
    config.stash[FOLDERS] = (
        [each.parent for each in beside] if beside else testpaths or [config.rootpath]
    )
    try:
        config.stash[LEDGER] = read_ledger(named or beside)
    except LedgerError as error:
        raise pytest.UsageError(f"the ledger of claims cannot be used:\n{error}") from None


def _beside(config: pytest.Config) -> Iterator[Path]:
    """The folder ``claims`` in, or next above, each place that is run; not above rootdir."""
    started = config.invocation_params.dir
    asked = [(started / each.partition("::")[0]).resolve() for each in config.args]
    testpaths = [(config.rootpath / each).resolve() for each in config.getini("testpaths")]
    inner = [path for path in testpaths if any(each in path.parents for each in asked)]
    for place in (*asked, *inner):
        for folder in (place, *place.parents):
            if folder != config.rootpath and config.rootpath not in folder.parents:
                break
            if any((folder / BESIDE).glob("*.toml")):
                yield folder / BESIDE
                break


def asked_for_all(session: pytest.Session) -> bool:
    """Whether every scenario that the ledger is about was to be run, and nothing ended it early."""
    ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    stopped = bool(session.shouldstop or session.shouldfail) or not ended
    folders = session.config.stash[FOLDERS]
    return not stopped and ran_all(session.config, folders)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A claim that no ledger has is an error of the scenario's file."""
    ledger = metafunc.config.stash[LEDGER]
    try:
        claims = claims_of(metafunc.definition.iter_markers())
    except WrongMarkerError:
        return  # sockstates.plugin.fixtures says so
    problem = ledger.unknown(claims) if ledger.articles else None
    if problem is not None:
        pytest.fail(f"pytest.mark.claims: {problem}\n  in {metafunc.definition.nodeid}", False)
