"""Scenarios that exist to be killed while they run; `tests.killing` does it.

Not collected by itself. Each has all that a lab can leave behind: hosts, a wire that holds a
segment, a connection, a filter rule, a sysctl, a program with a child of its own. It reports on a
FIFO when all of that is there.
"""

import os
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, Host, Lab

ENOUGH = 400
PROGRAM = "trap '' HUP INT TERM; sleep 1000 & echo up; wait"


@pytest.fixture
def running() -> int:
    """The FIFO on which a scenario says that everything is there."""
    return os.open(Path(os.environ["VICTIM_REPORTS"]), os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.parametrize("number", range(ENOUGH))
@pytest.mark.topology(hosts=("client", "server"), loopback=True)
@pytest.mark.usefixtures("wire")
def test_runs_until_somebody_kills_it(
    lab: Lab, client: Host, server: Host, running: int, number: int
) -> None:
    held = lab.wire.hold("client > server: Flags [.]")
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    held.meets()
    server.sysctl("net.ipv4.tcp_fin_timeout", 20 + number)
    client.iptables("-A INPUT -s server -j DROP")
    program = server.start(["sh", "-c", PROGRAM])
    lab.wait_until(lambda: program.output == b"up\n", "its output", None)
    os.write(running, b"+")
    lab.stays_quiet(seconds=0.4)
    os.close(running)
