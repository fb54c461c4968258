"""Our own netstat: the real one's rows, byte for byte; and what is said when nobody can know."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sockstates import Host, Lab, LabError
from sockstates.__main__ import main
from sockstates.evidence.netstat import netstat_table
from sockstates.evidence.sockets_at import MomentNotRecorded, last_certain
from sockstates.record.events import ProcessSeen, SocketSeen, Step
from sockstates.record.kernel_events import SocketGlanced
from sockstates.record.timeline import Timeline
from sockstates.report.folder import write_folder
from sockstates.report.html.netstat import netstat_tables
from sockstates.report.timeline_file import NAME
from sockstates.tcp.segment import Address
from sockstates.tcp.states import CLOSED, ESTABLISHED, FIN_WAIT1, LISTEN, SYN_RECV, State
from tests.nginx import start_nginx
from tests.recorded import at, empty_timeline

HERE, THERE = Address("10.0.0.2", 16868), Address("10.0.0.1", 43210)
LONG = Address("fd12:3456:789a:bcde::1234", 8082)
REAL = [
    "Active Internet connections (servers and established)",
    "Proto Recv-Q Send-Q Local Address           Foreign Address         State       "
    "PID/Program name    ",
    "tcp        3      0 0.0.0.0:16868           0.0.0.0:*               LISTEN      "
    "7308/nc             ",
    "tcp      100     20 10.0.0.2:16868          10.0.0.1:43210          ESTABLISHED "
    "5/nginx: master pro ",
    "tcp6       0      0 fd12:3456:789a:bcde::1234:8082 :::*                    LISTEN      "
    "7/python3           ",
    "tcp6       0      1 10.0.0.2:80             10.0.0.1:5000           FIN_WAIT1   "
    "-                   ",
]
"""As net-tools 2.10 prints them with -antpW."""
FORKING = """
import os, socket
listener = socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True)
peer = listener.accept()[0]
if os.fork():
    peer.close()
    listener.accept()
peer.recv(1)
"""
"""Parent and child have the listener open, the child alone the connection; both are IPv6."""


def seen(seconds: float, state: State, **changes: Any) -> SocketSeen:
    made = SocketSeen(at(seconds), "server", HERE, THERE, state, None, 0, 0)
    return replace(made, not_before=at(seconds - 0.01), **changes)


@pytest.fixture
def timeline() -> Timeline:
    """ESTABLISHED from 1 s on, FIN_WAIT1 from 2 s on, gone at 3 s, watched until 4 s."""
    made = empty_timeline()
    for each in (seen(1, ESTABLISHED), seen(2, FIN_WAIT1, send_queue=1), seen(3, CLOSED)):
        made.add(each)
    made.sampled["server"] = at(4)
    return made


def rows(timeline: Timeline, seconds: float) -> list[str]:
    return netstat_table(timeline, "server", at(seconds)).splitlines()[2:]


def test_each_row_is_as_the_real_one_prints_it() -> None:
    made = empty_timeline()
    made.add(ProcessSeen(at(0), "server", 7308, ("/usr/bin/nc", "-l")))
    made.add(ProcessSeen(at(0), "server", 5, ("nginx: master process nginx -p /tmp",)))
    made.add(ProcessSeen(at(0), "server", 7, ("python3", "-c")))
    ours = (
        seen(1, LISTEN, local=Address("0.0.0.0", 16868), remote=None, owner=7308),
        seen(1, ESTABLISHED, receive_queue=100, send_queue=20, owner=6, first_owner=5),
        seen(1, LISTEN, local=LONG, remote=None, owner=7, send_queue=128),
        seen(
            1,
            FIN_WAIT1,
            local=Address("10.0.0.2", 80),
            remote=Address("10.0.0.1", 5000),
            send_queue=1,
            mapped=True,
        ),
    )
    for each in ours:
        made.add(replace(each, receive_queue=3) if each.local.ip == "0.0.0.0" else each)
    made.sampled["server"] = at(2)
    ordered = netstat_table(made, "server").splitlines()
    assert sorted(ordered) == sorted(REAL)
    assert ordered[:4] == REAL[:4]


def test_the_table_of_each_moment(timeline: Timeline) -> None:
    assert rows(timeline, 0.5) == []
    assert ["ESTABLISHED" in each for each in rows(timeline, 1.5)] == [True]
    assert ["FIN_WAIT1" in each for each in rows(timeline, 2)] == [True]
    assert rows(timeline, 3.5) == rows(timeline, 4) == []


def test_what_lies_between_two_looks_is_not_guessed(timeline: Timeline) -> None:
    assert rows(timeline, 1.995) == [
        "! server.16868 (to client.43210): ESTABLISHED at 1.990000 s, FIN_WAIT1 at 2.000000 s; "
        "what it was between is not known"
    ]
    assert rows(timeline, 0.995)[0].startswith("! server.16868 (to client.43210): CLOSED at")
    assert "ESTABLISHED" in rows(timeline, 1.990)[0]


def test_another_queue_is_not_guessed_and_a_timer_does_not_matter(timeline: Timeline) -> None:
    timeline.add(seen(3.5, ESTABLISHED))
    timeline.add(seen(3.6, ESTABLISHED, timer="retransmit"))
    timeline.add(seen(3.7, ESTABLISHED, timer="retransmit", send_queue=9))
    assert rows(timeline, 3.595) == rows(timeline, 3.6)
    (text,) = rows(timeline, 3.695)
    assert text.startswith("! ")
    assert "with other queues or another owner" in text


def test_what_sock_diag_alone_showed_is_not_passed_over(timeline: Timeline) -> None:
    timeline.add(SocketGlanced(at(3.2), "server", HERE, THERE, SYN_RECV, at(3.1)))
    timeline.add(SocketGlanced(at(3.3), "server", HERE, THERE, CLOSED, at(3.2)))
    assert rows(timeline, 3.25)[0].startswith("! server.16868 (to client.43210): CLOSED at 3.0000")
    assert rows(timeline, 3.35) == []


def test_a_queue_that_was_just_changing_is_a_question_mark(timeline: Timeline) -> None:
    timeline.add(seen(3.5, ESTABLISHED, send_queue=None, receive_queue=None, owner=12))
    (row,) = rows(timeline, 3.6)
    assert row.split() == ["tcp", "?", "?", *row.split()[3:5], "ESTABLISHED", "12/?"]


def test_the_last_certain_moment_of_a_step(timeline: Timeline) -> None:
    assert last_certain(timeline, "server", at(1.5), at(1.995)) == at(1.990)
    assert last_certain(timeline, "server", at(1.5), at(1.8)) == at(1.8)
    assert last_certain(timeline, "server", at(1.992), at(1.995)) == at(1.995), "none: the end"
    assert last_certain(timeline, "server", at(3.5), at(9)) == at(4), "watched until then"


def test_a_page_has_the_tables_of_each_step(timeline: Timeline) -> None:
    timeline.add(Step(at(1.2), "It is established."))
    timeline.add(Step(at(1.995), "It closes."))
    text = str(netstat_tables(timeline))
    assert text.index("It is established.") < text.index("ESTABLISHED") < text.index("It closes.")
    assert "server at 1.990000 s" in text
    assert "FIN_WAIT1" not in text
    assert "client at" not in text, "its sockets were never looked at"
    assert "The sockets of no host were looked at." in str(netstat_tables(empty_timeline()))


@pytest.mark.parametrize(
    ("host", "seconds", "message"),
    [
        ("sever", 1, "no host 'sever' in this timeline: its hosts are client, server"),
        ("client", 1, "the sockets of 'client' were never looked at"),
        ("server", 4.1, "looked at from -0.010000 s to 4.000000 s, not at 4.100000 s"),
        ("server", -1, "not at -1.000000 s"),
    ],
)
def test_no_such_host_or_moment(
    timeline: Timeline, host: str, seconds: float, message: str
) -> None:
    with pytest.raises(MomentNotRecorded, match=message):
        netstat_table(timeline, host, at(seconds))


def test_the_command_line(
    timeline: Timeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(timeline, tmp_path)
    path = str(tmp_path / NAME)
    assert main(["netstat", path, "--host", "server", "--at", "1.5"]) == 0
    assert capsys.readouterr().out == netstat_table(timeline, "server", at(1.5))
    assert main(["netstat", path, "--host", "server"]) == 0
    assert capsys.readouterr().out == netstat_table(timeline, "server", at(4))
    for wrong in (["--host", "nobody"], ["--host", "server", "--at", "99"]):
        assert main(["netstat", path, *wrong]) == 1
        error = capsys.readouterr().err
        assert error.startswith(path)
        assert error.count("\n") == 1
    assert main(["netstat", str(tmp_path / "none.jsonl"), "--host", "server"]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["netstat", str(tmp_path / "server.pcapng"), "--host", "server"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def real_netstat(host: Host) -> list[str]:
    program = host.start("netstat -antpW")
    program.ends(0)
    return program.output.decode().splitlines()


@pytest.mark.programs("netstat", "python3")
def test_sockets_of_several_processes_and_of_both_families(
    lab: Lab, client: Host, server: Host
) -> None:
    """netstat names the lowest process, and IPv4 through an IPv6 socket is tcp6."""
    forking = server.start(["python3", "-c", FORKING])
    listener = forking.listens(9000)
    connection = client.connect(listener)
    lab.wait_until(lambda: len(forking.processes) == 2, "the child", None)
    connection.server.reaches(ESTABLISHED, owner=forking.processes[1])
    assert sorted(server.netstat().splitlines()) == sorted(real_netstat(server))
    assert f"{forking.pid}/python3" in server.netstat()


@pytest.mark.programs("netstat", "nginx")
def test_a_program_that_calls_itself_something_else(
    client: Host, server: Host, tmp_path: Path
) -> None:
    """nginx's processes write what they are over their command lines."""
    web = start_nginx(server, tmp_path, "80; listen [::]:80")
    connection = client.connect(web.listens(80))
    connection.client.connecting.returns()
    connection.server.reaches(ESTABLISHED, owner=web)
    table = server.netstat()
    assert sorted(table.splitlines()) == sorted(real_netstat(server))
    assert f"{web.pid}/nginx: master pro"[:19] in table
    assert "/nginx: worker pro" in table


@pytest.mark.families("ipv4")
def test_a_host_s_table_now_and_before(lab: Lab, client: Host, server: Host) -> None:
    assert server.netstat().splitlines()[2:] == []
    connection = client.connect(server.listen(port=80))
    connection.server.reaches(ESTABLISHED)
    assert "ESTABLISHED" in server.netstat()
    moment = lab.seconds_since(lab.origin)
    server.sample()  # it is still so: what a sample sees next was not there at that moment
    connection.client.close()
    connection.server.reaches(State.CLOSE_WAIT)
    assert "CLOSE_WAIT" in server.netstat()
    assert "ESTABLISHED" not in server.netstat()
    assert "CLOSE_WAIT" not in server.netstat(at=moment)
    with pytest.raises(LabError, match=r"server: no netstat: .* not at 3600\.0"):
        server.netstat(at=3600)
