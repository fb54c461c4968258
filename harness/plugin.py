"""The doorbell: pytest's options, fixtures, markers and report sections for labs.

A scenario asks for ``lab``, ``client``, ``server`` (and ``router``) and is run once for each
address family. Nothing here touches the kernel or judges evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from harness.lab.errors import SandboxUnavailable
from harness.lab.host import Host
from harness.lab.lab import Lab, open_lab
from harness.lab.sandbox import Sandbox
from harness.lab.topology import ROUTER, Family
from harness.plugin_reports import KeptLabs, Reporter
from harness.programs import missing_program

if TYPE_CHECKING:
    from collections.abc import Generator

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
LAB = pytest.StashKey[Lab]()
REPORTER = pytest.StashKey[Reporter]()
KEPT = pytest.StashKey[KeptLabs]()
FAILED = pytest.StashKey[bool]()
Made = TypeVar("Made")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the group ``lab``."""
    group = parser.getgroup("lab", "TCP socket state labs")
    group.addoption(
        "--lab-keep",
        action="store_true",
        help="keep the lab of a failed scenario open, and say how to enter its hosts",
    )
    group.addoption(
        "--lab-require",
        action="store_true",
        help="what cannot run here (a permission, a program) is an error, not a skip; for CI",
    )
    group.addoption(
        "--lab-report",
        metavar="DIR",
        type=Path,
        help="write each scenario's captures and timeline into a folder below DIR",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A kept lab belongs to the process that has the terminal: no workers then."""
    if config.getoption("lab_keep") and config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = 0
        config.option.dist = "no"
        config.option.tx = []


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; titles are docstrings, which pytest lists when it is verbose."""
    for line in (
        "claims(*ids): the claims of the two articles that this scenario shows",
        "families(*names): run for these address families only (ipv4, ipv6)",
        "topology(hosts=…, router=…, loopback=…): other hosts, a router, loopback captured",
        "programs(*names): real programs that this scenario runs; skipped where one is missing",
    ):
        config.addinivalue_line("markers", line)
    if config.option.collectonly and config.option.verbose == 0:
        config.option.verbose = 1
    config.stash[REPORTER] = Reporter(config)
    config.stash[KEPT] = KeptLabs(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Labs that were kept open stay so until the person at the terminal is done."""
    if KEPT in config.stash:
        config.stash[KEPT].wait()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each scenario once for each address family."""
    if "lab_family" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("families")
        names = marker.args if marker else FAMILIES
        unknown = set(names) - set(FAMILIES)
        if unknown:
            raise pytest.UsageError(f"families: {', '.join(FAMILIES)}, not {', '.join(unknown)}")
        metafunc.parametrize("lab_family", names, scope="function")


@pytest.fixture(scope="session")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The process that holds every lab of this session."""
    made = _made(request.config, Sandbox)
    yield made
    if not request.config.stash[KEPT].labs:
        made.close()


@pytest.fixture
def lab(request: pytest.FixtureRequest, lab_family: Family) -> Iterator[Lab]:
    """Hosts in network namespaces, joined, captured, watched; gone when the scenario ends."""
    programs = request.node.get_closest_marker("programs")
    for name in programs.args if programs else ():
        advice = missing_program(name)
        if advice:
            raise _cannot_run(request.config, advice)
    topology = request.node.get_closest_marker("topology")
    wishes = dict(topology.kwargs) if topology else {}
    wishes.setdefault("router", "router" in request.fixturenames)
    sandbox = request.getfixturevalue("sandbox")
    reporter = request.config.stash[REPORTER]
    opening = open_lab(sandbox, families=(lab_family,), title=_title(request), **wishes)
    with ExitStack() as stack:
        opened = _made(request.config, lambda: stack.enter_context(opening))
        opened.progress = reporter.progress
        request.node.stash[LAB] = opened
        yield opened
        opened.settle()
        reporter.save(request.node, opened)
        if request.node.stash.get(FAILED, False) and request.config.getoption("lab_keep"):
            request.config.stash[KEPT].keep(request.node.nodeid, opened)


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """What a scenario leaves unsaid is judged at its end, as part of the scenario."""
    yield
    if LAB in item.stash:
        item.stash[LAB].finish()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed scenario shows its last segments, both hosts' states, and what to type next."""
    report = yield
    if report.when == "call" and report.failed and LAB in item.stash:
        item.stash[FAILED] = True
        item.config.stash[REPORTER].explain(item, item.stash[LAB], report)
    return report


def _title(request: pytest.FixtureRequest) -> str:
    documented = request.function.__doc__ or request.module.__doc__ or request.node.name
    return str(documented).strip().splitlines()[0]


def _made(config: pytest.Config, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except SandboxUnavailable as error:
        reason = str(error)
    raise _cannot_run(config, reason)


def _cannot_run(config: pytest.Config, reason: str) -> BaseException:
    if config.getoption("lab_require"):
        return pytest.fail.Exception(reason, pytrace=False)
    return pytest.skip.Exception(reason)
