"""``--lab-virtual``: the tests run inside a virtual kernel, where waiting takes no time.

Here are the options, and what they refuse; `plugin_host` runs the tests on this machine's side,
`plugin_guest` inside.
"""

from __future__ import annotations

import os

import pytest

from sockstates.plugin.pages import ELSEWHERE
from sockstates.plugin.virtual_host import Host, kernel_text
from sockstates.system import VIRTUAL
from sockstates.virtual.errors import KernelMissing
from sockstates.virtual.exchange import VARIABLE
from sockstates.virtual.guest import LIMIT
from sockstates.virtual.kernels import VERSION, Kernel, find

NEEDS_A_TERMINAL = {"lab_keep": "--lab-keep", "usepdb": "--pdb", "trace": "--trace"}
"""Options that ask the person at the terminal, which a guest does not have."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this room."""
    group = parser.getgroup("lab")
    group.addoption(
        "--lab-virtual",
        nargs="?",
        const="",
        metavar="VERSION[,VERSION…]",
        help="run inside a virtual kernel, without root, where waiting takes no time: the newest "
        "that `sockstates kernel build` has built, or these versions, one after the other, "
        "and then say where they differ; with -n several guests run side by side",
    )
    group.addoption(
        "--lab-virtual-limit",
        type=float,
        default=LIMIT,
        metavar="SECONDS",
        help="end a guest after so many seconds of this machine's clock (default %(default)g)",
    )
    group.addoption(
        "--lab-virtual-spins",
        action="store_true",
        help="let computing take time too, for programs that wait by looking at the clock again "
        "and again, which hang otherwise",
    )


def inside() -> bool:
    """Whether this process is itself in a guest, where the option has been obeyed already."""
    return VARIABLE in os.environ


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Find the kernels before anything else, and leave the workers to us."""
    chosen: str | None = config.getoption("lab_virtual")
    if inside():
        _without_workers(config)
    elif chosen is not None and VIRTUAL in os.environ:
        raise pytest.UsageError("--lab-virtual: this is a virtual kernel already; leave it out")
    elif chosen is not None:
        for option, name in NEEDS_A_TERMINAL.items():
            if getattr(config.option, option, False):
                raise pytest.UsageError(
                    f"{name} and --lab-virtual: a virtual kernel has no terminal to ask at; "
                    "leave one of the two out"
                )
        kernels = _kernels(chosen)
        config.stash[ELSEWHERE] = ", ".join(kernel_text(each) for each in kernels)
        guests = getattr(config.option, "numprocesses", None)
        count = guests if isinstance(guests, int) and guests > 0 else 1
        _without_workers(config)
        config.pluginmanager.register(Host(config, kernels, count), "lab-virtual")


def _kernels(chosen: str) -> list[Kernel]:
    try:
        if not chosen:
            return [find(None)]
        versions = [each.strip() for each in chosen.split(",")]
        for version in versions:
            if not VERSION.fullmatch(version):
                raise pytest.UsageError(
                    f"--lab-virtual={version}: write the version like 6.12; when this is what "
                    "is to be run, write it before the option"
                )
        return [find(version) for version in dict.fromkeys(versions)]
    except KernelMissing as error:
        raise pytest.UsageError(f"--lab-virtual: {error}") from error


def _without_workers(config: pytest.Config) -> None:
    """pytest-xdist's workers are processes of this machine."""
    if config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = 0
        config.option.dist = "no"
        config.option.tx = []
