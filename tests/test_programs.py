"""A person's own program on a host: what it does is seen, and what goes wrong is said in full."""

import signal
import sys
from pathlib import Path

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, Host, Lab, LabError, Sandbox, open_lab
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.programs import PACKAGES_BY_PROGRAM, find_program, missing_program, search_path
from sockstates.sandbox.agent.program_streams import LARGEST_OUTPUT
from sockstates.sandbox.agent.programs import program_environment

pytestmark = pytest.mark.families("ipv4")

LISTENS = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
print("ready")
connection, _ = listener.accept()
print(connection.recv(100).decode())
"""
CONNECTS = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("connected")
connection.recv(1)
"""
DAEMON = """
import os, socket, sys
if os.fork():
    sys.exit()
os.setsid()
if os.fork():
    sys.exit()
for descriptor in range(3):
    os.close(descriptor)
listener = socket.create_server(("", 8080))
connection, _ = listener.accept()
connection.recv(1)
"""

TWO_LISTENERS = """
import socket
sixth = socket.create_server(("", 8080), family=socket.AF_INET6)
input()
fourth = socket.create_server(("", 8080))
print("both listen")
input()
"""

FAMILY = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
if os.fork() == 0:
    signal.signal(signal.SIGINT, lambda *_: print("the child too") or os._exit(0))
    print("ready")
    signal.pause()
os.wait()
"""


def python(source: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", source, *map(str, arguments))


def screenful(error: pytest.ExceptionInfo[BaseException]) -> str:
    """The message, which is one screen at most."""
    text = str(error.value)
    assert len(text.splitlines()) <= 24
    assert len(text) <= 24 * 100
    return text


def test_output_and_status_are_evidence(server: Host) -> None:
    program = server.start(python("import sys; print('out'); sys.exit('err')"))
    assert program.ends() == 1
    assert (program.output, program.errors) == (b"out\n", b"err\n")


def test_what_comes_while_a_host_is_asked_is_not_missed(
    lab: Lab, server: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener that counts is seen while the host is asked who has the other one open."""
    program = server.start(python(TWO_LISTENERS))
    asked = Host.program_of

    def listens_meanwhile(host: Host, pid: int) -> tuple[int, str] | None:
        program.type("go\n")
        program.prints("both listen")
        host.settle()
        return asked(host, pid)

    monkeypatch.setattr(program, "_processes", {})
    monkeypatch.setattr(Host, "program_of", listens_meanwhile)
    began = lab.now()
    assert program.listens(8080).local.ip == "0.0.0.0"
    assert lab.seconds_since(began) < lab.deadlines.programs
    program.close_input()


def test_output_is_waited_for(server: Host) -> None:
    program = server.start("sh -c 'read line; echo got $line'")
    program.type("this\n")
    program.prints("got this")
    with pytest.raises(ExpectationFailed, match="was expected to print 'more'") as error:
        program.prints("more")
    assert "exit status 0" in screenful(error)
    assert "got this" in screenful(error)


def test_a_program_that_ended_with_another_status(server: Host) -> None:
    program = server.start("sh -c 'echo no such luck >&2; exit 3'")
    with pytest.raises(ExpectationFailed, match="expected to end: exit status 0") as error:
        program.ends(0)
    assert "it ended: exit status 3" in screenful(error)
    assert "no such luck" in screenful(error)


def test_control_c_reaches_the_whole_group(server: Host) -> None:
    program = server.start(python(FAMILY))
    program.prints("ready")
    assert program.ended is None
    program.interrupt()
    program.ends(-signal.SIGINT)
    program.prints("the child too")
    program.kill()
    program.interrupt()  # all of it has ended: no error


def test_control_c_works_where_it_is_ignored() -> None:
    """A shell's background job ignores SIGINT, and so would all that it starts."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sandbox = Sandbox()
    finally:
        signal.signal(signal.SIGINT, before)
    with open_lab(sandbox) as lab:
        program = lab["server"].start("sleep 60")
        program.interrupt()
        program.ends(-signal.SIGINT)
    sandbox.close()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("no-such-nc -v", "no-such-nc is not installed; Debian's package netcat has it"),
        ("no-such-program", "no-such-program is not installed: no folder of PATH"),
        ("/no/such/program", "No such file or directory: '/no/such/program'"),
        ("{folder}/not-executable", "Permission denied"),
        ("{folder}/no-interpreter", "the interpreter that the first line of"),
        ("{folder}/no-first-line", "without a first line"),
        ("", "The command is empty"),
    ],
)
def test_commands_that_cannot_run(
    server: Host,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    expected: str,
) -> None:
    for name, text, mode in (
        ("not-executable", "#!/bin/sh\n", 0o644),
        ("no-interpreter", "#!/no/such/interpreter\n", 0o755),
        ("no-first-line", "echo\n", 0o755),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    monkeypatch.setitem(PACKAGES_BY_PROGRAM, "no-such-nc", "netcat")
    server.lab.declared = None
    with pytest.raises(LabError, match=expected) as error:
        server.start(command.format(folder=tmp_path))
    assert "server" in screenful(error)


def test_a_folder_that_is_not_there(server: Host) -> None:
    with pytest.raises(LabError, match="server cannot run 'true': /no/such/folder is no folder"):
        server.start("true", directory="/no/such/folder")


def test_a_program_that_dies_early(server: Host) -> None:
    program = server.start(python("raise SystemExit('no configuration')"))
    with pytest.raises(ExpectationFailed, match="expected to listen on port 8080") as error:
        program.listens(8080)
    assert "it ended: exit status 1" in screenful(error)
    assert "no configuration" in screenful(error)


def test_a_program_that_listens_elsewhere(lab: Lab, server: Host) -> None:
    program = server.start(python(LISTENS, 8081))
    program.listens(8081)
    lab.deadlines.patience = 0.2
    with pytest.raises(ExpectationFailed, match="expected to listen on port 8080") as error:
        program.listens(8080)
    assert "it was still running at" in screenful(error)
    assert "sockets   0.0.0.0.8081 LISTEN" in screenful(error)


def test_a_port_that_another_program_has(server: Host) -> None:
    first = server.start(python(LISTENS, 8080))
    first.listens(8080)
    second = server.start(python(LISTENS, 8080))
    with pytest.raises(ExpectationFailed, match="Address already in use") as error:
        second.listens(8080)
    assert f"0.0.0.0 port 8080 is LISTEN, process {first.pid} of " in screenful(error)


def test_a_port_that_the_scenario_has(server: Host) -> None:
    server.listen(port=8080)
    program = server.start(python(LISTENS, 8080))
    with pytest.raises(ExpectationFailed, match="a built-in endpoint of the scenario"):
        program.listens(8080)


def test_a_port_that_a_program_has(server: Host) -> None:
    program = server.start(python(LISTENS, 8080))
    program.listens(8080)
    with pytest.raises(LabError, match=f"is LISTEN, process {program.pid} of ") as error:
        server.listen(port=8080)
    assert "server cannot listen on 0.0.0.0 port 8080" in screenful(error)


def test_two_programs_and_their_connection(client: Host, server: Host) -> None:
    serving = server.start(python(LISTENS, 8080))
    listener = serving.listens(8080)
    connecting = client.start(python(CONNECTS, "server", 8080))
    connection = connecting.connects(listener)
    connection.client.reaches(ESTABLISHED, owner=connecting)
    connection.server.reaches(ESTABLISHED, owner=serving)
    listener.reaches(LISTEN, owner=serving)


def test_a_connection_of_a_program_that_is_gone(client: Host, server: Host) -> None:
    """Whose a socket was is known after its process has ended."""
    listener = server.listen(port=8080)
    program = client.start(python(CONNECTS, "server", 8080))
    program.prints("connected")
    client.settle()
    program.kill()
    program.ends(-signal.SIGKILL)
    program.connects(listener).client.reaches("FIN_WAIT2", owner=None)


def test_typing_more_than_is_read(server: Host) -> None:
    """A program that does not read its input holds nobody up, and gets all of it in the end."""
    program = server.start(python("import sys; input(); print(len(sys.stdin.read()))"))
    program.type(b"x" * 3_000_000)
    program.type(b"\n12345")
    program.close_input()
    program.ends(0)
    assert program.output == b"5\n"
    still = server.start("sleep 60")
    still.type(b"x" * 3_000_000)
    still.interrupt()
    still.ends(-signal.SIGINT)


def test_typing_to_nobody(server: Host) -> None:
    program = server.start("sh -c 'exec 0<&-; echo closed; sleep 60'")
    program.prints("closed")
    with pytest.raises(LabError, match="cannot be written to: it has closed") as error:
        program.type("anyone?\n")
    assert "it was still running at" in screenful(error)
    program.kill()
    program.ends(-signal.SIGKILL)
    with pytest.raises(LabError, match="cannot be written to: it has ended"):
        program.type("anyone?\n")


def test_output_without_end(lab: Lab, client: Host, server: Host) -> None:
    """It is kept up to a limit, said to be cut, and holds up neither program nor watching."""
    program = server.start(python(f"import os; print('x' * {3 * LARGEST_OUTPUT}); print('end')"))
    program.ends(0)
    with pytest.raises(LabError, match=f"than the {LARGEST_OUTPUT} bytes that are kept"):
        _ = program.output
    with pytest.raises(ExpectationFailed, match="it wrote more, which was not kept") as error:
        program.prints("end")
    screenful(error)
    endless = server.start("yes")
    endless.prints("y")
    connection = client.connect(server.listen(port=8080))
    connection.server.reaches(ESTABLISHED)
    endless.kill()
    endless.ends(-signal.SIGKILL)
    kept = sum(len(getattr(event, "data", b"")) for event in lab.timeline.events)
    assert kept <= 2 * LARGEST_OUTPUT


def test_a_daemon_is_still_the_program(client: Host, server: Host) -> None:
    """It has another session and another parent, and its first process ended long ago."""
    program = server.start(python(DAEMON))
    listener = program.listens(8080)
    program.ends(0)
    assert program.processes
    assert program.pid not in program.processes
    listener.reaches(LISTEN, owner=program)
    client.connect(listener).server.reaches(ESTABLISHED, owner=program)
    program.kill()
    listener.reaches(CLOSED)
    assert not program.processes


def test_another_program_is_not_the_daemon(lab: Lab, server: Host) -> None:
    daemon = server.start(python(DAEMON))
    daemon.listens(8080)
    other = server.start("sleep 60")
    lab.deadlines.patience = 0.2
    with pytest.raises(ExpectationFailed, match=r"port 8080 is LISTEN, process .* of '"):
        other.listens(8080)
    assert not any(map(other.has_process, daemon.processes))


def test_an_output_that_a_grandchild_keeps_open(server: Host) -> None:
    program = server.start("sh -c 'exec 3<&0; (read line <&3; echo late; sleep 60) & echo early'")
    program.ends(0)
    assert program.output == b"early\n"
    assert program.ended is not None
    assert set(program.ended.left) == set(program.processes) != set()
    program.type("now\n")
    program.prints("late")


@pytest.mark.programs("curl")
@pytest.mark.families("ipv4", "ipv6")
def test_host_names_resolve_for_programs(client: Host, server: Host) -> None:
    bind = "::" if server.lab.family == "ipv6" else "0.0.0.0"
    web = server.start((sys.executable, "-m", "http.server", "--bind", bind, "8080"))
    web.listens(8080)
    curl = client.start("curl --silent --show-error --head http://server:8080")
    curl.ends(0)
    assert curl.output.startswith(b"HTTP/1.0 200 OK")


def test_the_environment_of_a_program() -> None:
    """The machine's proxies are not on the lab's network; administrators' folders are searched."""
    machine = {"PATH": "/bin", "HTTPS_proxy": "http://proxy:3128", "LANG": "C"}
    given = program_environment(machine, {"no_proxy": "server"})
    assert given == {
        "PATH": "/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "LANG": "C",
        "no_proxy": "server",
    }


def test_programs_are_found_in_system_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nginx"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/no/such/folder")
    monkeypatch.setattr("sockstates.programs.SYSTEM_FOLDERS", (str(tmp_path),))
    assert search_path("/bin") == f"/bin:{tmp_path}"
    assert find_program("nginx") == str(program)
    assert missing_program("nginx") is None
    assert missing_program("netstat") == (
        "netstat is not installed; Debian's package net-tools has it"
    )
