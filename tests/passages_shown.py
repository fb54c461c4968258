"""What the tests of the tracepoints share: who may, and an endpoint's passage as it was shown."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from sockstates import Host, Lab, Sandbox, open_lab
from sockstates.record.timeline import EndpointKey
from sockstates.sandbox.network.topology import Family
from tests.awake_processors import awake_processors

WHOLE_MAP = ["0", "0", "4294967295"]
"""/proc/self/uid_map of the first user namespace; root of another one is nobody outside of it."""
IS_MACHINES_ROOT = os.getuid() == 0 and Path("/proc/self/uid_map").read_text().split() == WHOLE_MAP
MACHINES_ROOT = pytest.mark.only_where(
    IS_MACHINES_ROOT, reason="tracepoints are for the machine's root"
)
NOT_ROOT = pytest.mark.only_where(
    not IS_MACHINES_ROOT, reason="it shows what all other users are told"
)
Kind = TypeVar("Kind")
LIFE_OF_WHO_CLOSES_FIRST = [
    *("CLOSED", "SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSED"),
]
LIFE_OF_WHO_CLOSES_LAST = ["LISTEN", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]


def passage(lab: Lab, key: EndpointKey) -> list[str]:
    """The states of an endpoint as the tracepoint showed them, the one it left first too."""
    changes = lab.timeline.changes(key)
    for one, next_one in pairwise(changes):
        assert one.after is next_one.before, "nothing is missing in between"
    return [str(changes[0].before), *(str(each.after) for each in changes)] if changes else []


def shown_whole(
    check: Callable[[Lab, Host, Host], None],
) -> Callable[[Sandbox, Family], None]:
    """A test of what is shown when no record is lost: once in three labs it must be shown.

    The kernel loses a record, and does not say so, where the task that happens to run is marked as
    being recorded already (`awake_processors`). Any task can be: one in some hundred lives has a
    gap on such a kernel, three in a row do not. What may never happen, that something is told that
    was not so or belongs to another lab, is held in `test_tracepoints_side_by_side`.
    """

    def test(sandbox: Sandbox, lab_family: Family) -> None:
        for left in (2, 1, 0):
            with awake_processors(), open_lab(sandbox, families=(lab_family,)) as lab:
                try:
                    check(lab, lab["client"], lab["server"])
                except AssertionError:
                    if not left:
                        raise
                else:
                    return

    test.__doc__ = check.__doc__
    return test


def of_kind(lab: Lab, kind: type[Kind]) -> list[Kind]:
    return [each for each in lab.timeline.events if isinstance(each, kind)]
