"""setgroups(2) in a lab without privileges: programs that insist on it go on."""

import subprocess
import sys

import pytest

from sockstates import Host
from sockstates.sandbox.network.groups import CALLS
from tests.module_trees import PROJECT

IN_A_USER_NAMESPACE = """
import os
from sockstates.sandbox.network import groups, namespaces
namespaces.become_root_of_new_user_namespace()
before = os.getgroups()
try:
    os.setgroups([0])
except PermissionError:
    print("denied")
groups.answer_setgroups()
os.setgroups([0])
print("answered", os.getgroups() == before, os.fork() == 0 or os.wait()[1])
"""


def test_it_is_answered_and_does_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_USER_NAMESPACE],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "denied"
    assert "answered True 0" in done.stdout


def test_a_program_on_a_host_may_insist(client: Host) -> None:
    program = client.start([sys.executable, "-c", "import os; os.setgroups([0]); print('went on')"])
    program.ends(0)
    assert program.output == b"went on\n"


@pytest.mark.parametrize("machine", CALLS)
def test_numbers_are_of_that_machine(machine: str) -> None:
    """Of an architecture with 64 bits: its mark is in the number, linux/audit.h."""
    architecture, number = CALLS[machine]
    assert architecture >> 31 == 1
    assert 0 < number < 400
