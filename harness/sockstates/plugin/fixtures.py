"""The pytest plugin: options, fixtures, markers and report sections for labs.

A scenario asks for ``lab``, ``client``, ``server`` (and ``router``) and is run once for each
address family. Nothing here touches the kernel or judges evidence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from sockstates.evidence.bars import states_reached
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.lab.declared_programs import DeclaredPrograms
from sockstates.lab.host import Host
from sockstates.lab.lab import Lab
from sockstates.lab.opening import open_lab
from sockstates.lab.wire import Wire
from sockstates.plugin.kept_labs import KeptLabs
from sockstates.plugin.markers import (
    FAMILIES,
    MARKERS,
    cannot_run,
    claims_of,
    declared_programs,
    lacking,
    problem_of,
    shortened_by,
    topology_wishes,
)
from sockstates.plugin.reports import Reporter
from sockstates.plugin.terminal import Progress, has_terminal
from sockstates.plugin.tracebacks import SPEAK_FOR_THEMSELVES, make_harmless, shorten
from sockstates.sandbox.client.errors import HostGone, NotDeclared, SandboxUnavailable
from sockstates.sandbox.client.sandbox import Sandbox
from sockstates.sandbox.network.topology import ROUTER, Family
from sockstates.system import NO_IPV6, has_ipv6, system_text

if TYPE_CHECKING:
    from collections.abc import Generator

LAB = pytest.StashKey[Lab]()
FOLDER = pytest.StashKey[Path]()
FAILED = pytest.StashKey[bool]()
UNSAID = pytest.StashKey[Exception]()
"""What was wrong at a scenario's end, with what it had left unsaid."""
REPORTER = pytest.StashKey[Reporter]()
KEPT = pytest.StashKey[KeptLabs]()
SANDBOX = pytest.StashKey[Sandbox]()
"""A sandbox that was made before the first scenario, until a scenario takes it."""
Made = TypeVar("Made")
MOST_WORKERS = 16
"""Each worker takes a second of one processor to start."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the group ``lab``."""
    group = parser.getgroup("lab", "TCP socket state labs")
    group.addoption(
        "--lab-keep",
        action="store_true",
        help="keep the lab of a failed scenario open, and say how to enter its hosts; without "
        "xdist's workers, because the lab belongs to the process that has the terminal",
    )
    group.addoption(
        "--lab-require",
        action="store_true",
        help="where a scenario cannot run here (a permission or a program is missing), none runs, "
        "and that is the run's one error; for CI",
    )
    group.addoption(
        "--lab-report",
        metavar="DIR",
        help="write each scenario's captures and timeline into a folder below DIR; without it "
        "failed scenarios leave them in a temporary folder, which the failure names",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A kept lab belongs to the process that has the terminal: no workers then."""
    if config.getoption("lab_keep") and config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = 0
        config.option.dist = "no"
        config.option.tx = []


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """``-n auto``: two workers for each processor, because scenarios wait most of the time.

    Without their cause nearly all wait until a deadline: four. Before xdist's own answer, which
    comes first where ``-p`` has loaded this plugin before xdist.
    """
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    workers = 4 if config.getoption("lab_without_cause") else 2
    return min(workers * len(os.sched_getaffinity(0)), MOST_WORKERS)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; titles are docstrings, which pytest lists when it is verbose."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if config.option.collectonly and config.option.verbose == 0:
        config.option.verbose = 1
    if config.option.lab_report:
        config.option.lab_report = os.path.abspath(config.option.lab_report)
    config.stash[REPORTER] = Reporter(config)
    config.stash[KEPT] = KeptLabs(config)


def pytest_report_header(config: pytest.Config) -> str:
    """The kernel is what is tested."""
    where = config.option.lab_report
    return f"lab: {system_text()}" + (f", report: {where}" if where else "")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Labs that were kept open stay so until the person at the terminal is done."""
    if KEPT in config.stash:
        config.stash[KEPT].wait()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each scenario once for each address family; its markers are checked."""
    problem = problem_of(metafunc.definition.iter_markers())
    if problem is not None:
        pytest.fail(f"{problem}\n  in {metafunc.definition.nodeid}", pytrace=False)
    if "lab_family" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("families")
        metafunc.parametrize("lab_family", marker.args if marker else FAMILIES, scope="function")


@pytest.fixture(scope="session")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The process that holds every lab of this session."""
    stash = request.config.stash
    if SANDBOX in stash:
        made = stash[SANDBOX]
        del stash[SANDBOX]
    else:
        made = _made(request.config, Sandbox)
    yield made
    if not request.config.stash[KEPT].labs:
        made.close()


@pytest.fixture
def lab(
    request: pytest.FixtureRequest,
    lab_family: Family,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lab]:
    """Hosts in network namespaces, joined, captured, watched; gone when the scenario ends."""
    config, item = request.config, request.node
    if lab_family == "ipv6" and not has_ipv6():
        raise cannot_run(config, NO_IPV6)
    wishes = topology_wishes(item.get_closest_marker("topology"))
    wishes.setdefault("router", "router" in request.fixturenames)
    wishes.setdefault("wire", "wire" in request.fixturenames)
    sandbox = request.getfixturevalue("sandbox")
    opening = open_lab(sandbox, families=(lab_family,), title=_title(request), **wishes)
    with ExitStack() as stack:
        opened = _made(config, lambda: stack.enter_context(opening))
        _skip_without(lacking(opened, item.iter_markers()))
        opened.declared = DeclaredPrograms(
            declared_programs(item.iter_markers()), lambda: tmp_path_factory.mktemp("programs")
        )
        opened.progress = Progress(config) if has_terminal(config) else None
        item.stash[LAB] = opened
        item.stash[FOLDER] = config.stash[REPORTER].folder(item.nodeid, tmp_path_factory)
        if not config.getoption("lab_defaults"):
            _shorten(opened, shortened_by(item.iter_markers()))
        yield opened
        with suppress(HostGone):  # the scenario has been judged; what is recorded is kept
            opened.settle()
        config.stash[REPORTER].save(opened, item.stash[FOLDER])
        if item.stash.get(FAILED, False) and config.getoption("lab_keep"):
            config.stash[KEPT].keep(item.nodeid, opened)


@pytest.fixture
def client(lab: Lab) -> Host:
    """The lab's host of that name."""
    return lab["client"]


@pytest.fixture
def server(lab: Lab) -> Host:
    """The lab's host of that name."""
    return lab["server"]


@pytest.fixture
def router(lab: Lab) -> Host:
    """The router between the hosts; asking for it puts it there."""
    return lab[ROUTER]


@pytest.fixture
def wire(lab: Lab) -> Wire:
    """The wire between the two hosts; asking for it puts it there."""
    return lab.wire


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """What a scenario leaves unsaid is judged at its end, as part of the scenario."""
    try:
        yield
    except SPEAK_FOR_THEMSELVES as error:
        verdict = _verdict(item, error)
        if not item.config.option.fulltrace:
            shorten(verdict)
        raise verdict from verdict.__cause__
    if LAB in item.stash:
        _finish(item)


def _verdict(item: pytest.Item, error: Exception) -> Exception:
    """The error, or that the evidence cannot decide: a failure needs whole evidence too."""
    doubt = item.stash[LAB].doubt() if LAB in item.stash else None
    if doubt is None or not isinstance(error, ExpectationFailed):
        return error
    verdict = Inconclusive(f"{doubt}\n\nAs far as it goes, it says: {error}")
    return verdict.with_traceback(error.__traceback__)


def _finish(item: pytest.Item) -> None:
    """Judge what is left; there is no line of the scenario that this could point at."""
    lab = item.stash[LAB]
    try:
        lab.finish()
        if lab.declared is not None:
            lab.declared.check_started()
    except (ExpectationFailed, Inconclusive, HostGone, NotDeclared) as error:
        item.stash[UNSAID] = error
        problem = f"{type(error).__name__}: {error}"
    else:
        return
    pytest.fail(f"at the scenario's end: {problem}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed scenario shows its last segments, both hosts' states, and what to type next."""
    report = yield
    if report.failed and LAB in item.stash:
        report.longrepr = make_harmless(report.longrepr)
    if report.when == "call" and LAB in item.stash:
        claims = claims_of(item.iter_markers())
        item.user_properties += [("claim", claim) for claim in claims]
        refuted = [claim for claim, holds in claims.items() if not holds]
        item.user_properties += [("claim_refuted", claim) for claim in refuted]
        if report.failed:
            item.stash[FAILED] = True
            item.user_properties.append(("evidence", str(item.stash[FOLDER])))
            lab, folder = item.stash[LAB], item.stash[FOLDER]
            item.config.stash[REPORTER].explain(item, lab, folder, report)
        figures = item.stash[LAB].timeline.figures()
        item.user_properties += [("figure", figure.text) for figure in figures]
        reached = states_reached(item.stash[LAB].timeline)
        item.user_properties += [("state", state) for state in reached]
    return report


def _skip_without(reason: str) -> None:
    """Skip what this kernel lacks, also with ``--lab-require``.

    That option is for what a package or a permission fixes. Another kernel is another run
    (``--lab-virtual``), and a run on this one cannot be made green by anything else.
    """
    if reason:
        raise pytest.skip.Exception(reason)


def _shorten(lab: Lab, settings: Mapping[str, Mapping[str, int]]) -> None:
    """Write what only makes a scenario shorter, host by host."""
    for host, values in settings.items():
        for name, value in values.items():
            lab[host].sysctl(name, value)


def _title(request: pytest.FixtureRequest) -> str:
    documented = request.function.__doc__ or request.module.__doc__ or request.node.name
    return str(documented).strip().splitlines()[0]


def _made(config: pytest.Config, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except SandboxUnavailable as error:
        reason = str(error)
    raise cannot_run(config, reason)
