"""Tracepoints of many labs at once: each in its own lab and host, what is lost is told, no rest."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sockstates import (
    CLOSED,
    ESTABLISHED,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    Endpoint,
    Lab,
    Sandbox,
    open_lab,
)
from sockstates.record.kernel_events import RecordsLost, StateChanged
from sockstates.sandbox.client.attribution import WITNESS
from tests.passages_shown import (
    LIFE_OF_WHO_CLOSES_FIRST,
    LIFE_OF_WHO_CLOSES_LAST,
    MACHINES_ROOT,
    of_kind,
    passage,
)

SIDE_BY_SIDE = 20
ROUNDS = 5
PERF = "anon_inode:[perf_event]"
MANY = """
import socket
with socket.create_server(("127.0.0.1", 0)) as bound:
    for _ in range(500):
        socket.create_connection(bound.getsockname()).close()
        bound.accept()[0].close()
"""
TRADER = """
import socket
with socket.create_server(("", 99)) as server, socket.socket() as client:
    client.connect(("127.0.0.1", 99))
    other, _ = server.accept()
    client.close()
    other.recv(1)
    other.close()
"""


@pytest.fixture
def two_sandboxes(sandbox: Sandbox) -> Iterator[list[Sandbox]]:
    """As two test processes have them: each with rings of its own."""
    other = Sandbox()
    yield [sandbox, other]
    other.close()


@MACHINES_ROOT
def test_twenty_labs_at_once_are_never_mixed_up(two_sandboxes: list[Sandbox]) -> None:
    with ExitStack() as stack:
        labs = [
            stack.enter_context(open_lab(two_sandboxes[each % 2])) for each in range(SIDE_BY_SIDE)
        ]
        listeners = [lab["server"].listen(port=80) for lab in labs]
        traders = [lab["server"].start([sys.executable, "-c", TRADER]) for lab in labs]
        lives = []
        for _ in range(ROUNDS):
            connections = [
                lab["client"].connect(listener)
                for lab, listener in zip(labs, listeners, strict=True)
            ]
            for connection in connections:
                connection.client.reaches(ESTABLISHED)
                connection.server.reaches(ESTABLISHED)
                connection.client.close()
                connection.server.receives_end()  # else both may close at once
                connection.server.close()
            for connection in connections:
                connection.client.reaches(TIME_WAIT)
                connection.server.reaches(CLOSED)
            lives.append(connections)
        for trader in traders:
            trader.ends(0)
        for lab in labs:
            lab.settle()
        for lab in labs:
            _only_its_own(lab)
        for connections in lives:
            for connection in connections:
                _is_whole(connection.client, LIFE_OF_WHO_CLOSES_FIRST)
                _is_whole(connection.server, LIFE_OF_WHO_CLOSES_LAST)


def _is_whole(end: Endpoint, life: list[str]) -> None:
    """Every change is there, or the lab was told that the kernel left some out."""
    lab = end.host.lab
    changes = lab.timeline.changes(end.key)
    shown = [str(each.after) for each in changes]
    if of_kind(lab, RecordsLost):
        assert [each for each in life[1:] if each in shown] == shown, "and in the right order"
    else:
        assert passage(lab, end.key) == life


def _only_its_own(lab: Lab) -> None:
    """Of this lab: as many sockets as were opened, all of them on the host whose address it is."""
    told = of_kind(lab, StateChanged)
    assert {(each.host, each.local.ip) for each in told} <= {
        ("client", lab["client"].address),
        ("server", lab["server"].address),
        ("server", "0.0.0.0"),
        ("server", "127.0.0.1"),
    }
    if of_kind(lab, RecordsLost):
        return
    born = Counter((each.host, each.local.ip, each.before) for each in told if _is_born(each))
    assert born == {
        ("client", lab["client"].address, CLOSED): ROUNDS,
        ("server", lab["server"].address, LISTEN): ROUNDS,
        ("server", "0.0.0.0", CLOSED): 2,
        ("server", "127.0.0.1", CLOSED): 1,
        ("server", "127.0.0.1", LISTEN): 1,
    }
    sampled = {key for key in lab.timeline.endpoints() if key[2] is not None}
    shown = {(each.host, each.local, each.remote) for each in told}
    assert sampled <= shown
    starts = {(each.source, each.destination) for each in lab.timeline.wire if each.flags == "S"}
    assert starts == {(key[1], key[2]) for key in shown if key[0] == "client"}


def _is_born(change: StateChanged) -> bool:
    return change.after in (SYN_SENT, LISTEN, SYN_RECV)


@MACHINES_ROOT
def test_records_that_were_lost_are_told_to_every_lab() -> None:
    """Rings of one page each, and more connections between two readings than they hold."""
    sandbox = Sandbox(ring=4096)
    try:
        with open_lab(sandbox) as lab, open_lab(sandbox) as idle:
            program = lab["server"].start([sys.executable, "-c", MANY])
            program.ends(0)
            lab.settle()
            told, told_idle = (
                {(lost.host, lost.witness) for lost in of_kind(each, RecordsLost)}
                for each in (lab, idle)
            )
            assert told_idle == {("", WITNESS)}
            # Where a socket's changes are no chain, what is missing is told of its host as well.
            assert {("", WITNESS)} <= told <= {("", WITNESS), ("server", WITNESS)}
    finally:
        sandbox.close()


@MACHINES_ROOT
def test_what_was_opened_is_gone_with_the_sandbox() -> None:
    before = Counter(_links())
    sandbox = Sandbox()
    assert _links()[PERF] > before[PERF]
    with open_lab(sandbox):
        pass
    sandbox.close()
    assert _links() == before


def _links() -> Counter[str]:
    """What this process' descriptors lead to."""
    links = Counter[str]()
    for name in os.listdir("/proc/self/fd"):
        try:
            links[os.readlink(f"/proc/self/fd/{name}").partition(" (")[0]] += 1
        except FileNotFoundError:
            continue  # the one that listed them
    return Counter({PERF: links[PERF]})
