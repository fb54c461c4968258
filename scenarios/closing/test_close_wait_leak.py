"""A leak of CLOSE_WAIT: a program that never closes what its clients have closed."""

import sys
from pathlib import Path

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, Host, Lab

SERVER = Path(__file__).parent / "leaking_server.py"
CLIENTS = Path(__file__).parent / "short_clients.py"


@pytest.mark.phenomenon(
    56,
    symptom="sockets pile up",
    client="FIN_WAIT2",
    server="CLOSE_WAIT",
    errno="EMFILE",
    lasts="until the program closes or ends",
    settings=("RLIMIT_NOFILE",),
)
@pytest.mark.cause("server.start", without="forgets", instead="closes")
def test_sockets_pile_up_in_close_wait(lab: Lab, client: Host, server: Host) -> None:
    """A server that never closes: each client leaves a CLOSE_WAIT, until there is no file left."""
    lab.step("A server accepts and answers, and never closes.")
    program = server.start([sys.executable, str(SERVER), lab.family, "forgets"])
    listener = program.listens(8080)

    lab.step("A hundred clients come, read the answer and close. None of them notices anything.")
    client.start([sys.executable, str(CLIENTS)]).ends(0)

    lab.step("The server has a hundred sockets in CLOSE_WAIT. They are its own, and no timer ends.")
    client.counts(FIN_WAIT2, 100, owner=None)
    leaked = server.counts(CLOSE_WAIT, 100, owner=program)
    lab.figure(f"{len(leaked)} sockets in CLOSE_WAIT, of process {leaked[0].owner}")
    lab.stays_quiet(seconds=0.3)
    server.counts(CLOSE_WAIT, 100, owner=program)

    lab.step("Six more come, and then the server has no file for another: accept fails.")
    client.start([sys.executable, str(CLIENTS)])
    program.prints("accept: Too many open files")
    server.counts(CLOSE_WAIT, 106)

    lab.step("The next one is connected all the same, by the kernel, and gets no answer.")
    client.counts(ESTABLISHED, 1)

    lab.step("The server ends, and with it all of them.")
    program.close_input()
    program.ends(0)
    server.counts(CLOSE_WAIT, 0)
    listener.reaches(CLOSED)
