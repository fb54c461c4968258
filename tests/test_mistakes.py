"""The mistakes that people make who write their first scenario: each is said, with what to write.

What a host is asked for wrongly never ends it: each mistake is made while a connection is
established, which is still there afterwards.
"""

import errno
import re
import socket

import pytest

import sockstates
from sockstates import ESTABLISHED, Connection, Host, Lab
from sockstates.plugin.tracebacks import SPEAK_FOR_THEMSELVES
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
pytestmark = pytest.mark.families("ipv4")

WORDS = {
    "connection.server.reach(ESTABLISHED)": "an endpoint has no 'reach'. Did you mean reaches?"
    "\n  reaches: Expect psutil to see this endpoint in `state`",
    "connection.server.recv(5)": "Did you mean receive?\n  receive: Begin recv(2)",
    "connection.close()": "An endpoint has: connection.client.close or connection.server.close\n"
    "  close: close(2): orderly",
    "connection.send(b'x')": "An endpoint has: connection.client.send or connection.server.send",
    "connection.server.sees('…')": "A lab has: lab.sees\n  sees: Expect these segments",
    "lab.see('client > server: Flags [S]')": "a lab has no 'see'. Did you mean seen or sees?",
    "lab.iptables('-F')": "A host has: client.iptables or server.iptables",
    "client.conect(server, port=80)": "a host has no 'conect'. Did you mean connect?",
    "client.start('true').wait()": "A call has: endpoint.connecting.wait",
    "client.iptables('-A INPUT -j DROP').remove()": "a rule has no 'remove'. It has: ",
    "server.listen().unheard_of()": "an endpoint has no 'unheard_of'. It has: abort, accept, ",
}
RULES = {
    "-A INPUT -p tcp --dprot 80 -j DROP": "Did you mean --dport?",
    "-A INPUT -p tcp -dport 80 -j DROP": "Did you mean --dport?",
    "-A INPUT -p tcp \N{EM DASH}dport 80 -j DROP": "Did you mean --dport?",
    "-A INPUT -p tcp --tcp-flag SYN SYN -j DROP": "Did you mean --tcp-flags?",
    "-A INPUT --dport 80 -j DROP": "Put `-p tcp` or `-p udp` before it.",
    "-A INPUT -j drop": "Did you mean DROP?",
    "-A INPUT -j REJCET": "Did you mean REJECT?",
    "-A input -j DROP": "Did you mean INPUT?",
    "-A OUPTUT -j DROP": "Did you mean OUTPUT?",
    "-A INPUT -m conntrak --ctstate NEW -j DROP": "Did you mean conntrack?",
    "-A INPUT -m state --state ESTABLISH -j DROP": "Did you mean ESTABLISHED?",
    "-t natt -A PREROUTING -j ACCEPT": "Did you mean nat?",
    "-A INPUT -p tpc -j DROP": "Did you mean tcp?",
    "-A INPUT -p tcp --tcp-flags SNY SYN -j DROP": "Did you mean SYN?",
    "-A INPUT -p tcp -j REJECT --reject-with tcp-resett": "Did you mean tcp-reset?",
    "-A INPUT -s sever -j DROP": "Did you mean server?",
    "DROP INPUT server": "Begin with -A, -I, -D, -F or -P: -A INPUT -j DROP.",
}
SETTINGS = {
    "client.sysctl('ipv4.tcp_syn_retrys', 2)": "Did you mean net.ipv4.tcp_syn_retries?",
    "client.sysctl('tcp_syn_retries', 2)": "Did you mean net.ipv4.tcp_syn_retries?",
    "client.sysctl('kernel.hostname', 'x')": "this kernel has none of that name below net.",
    "client.sysctl('net.ipv4.tcp_mem')": "or only one for the whole machine",
    "client.sysctl('ipv4.tcp_syn_retries', 'many')": "cannot be set to 'many': Invalid argument. "
    "Its value is '6'.",
    "client.counter('TcpInCsumError')": "Did you mean TcpInCsumErrors?",
    "client.route('add blackhole sever')": "Did you mean server?",
    "client.mtu('1280')": "an MTU is a whole number of bytes, not '1280'",
    "lab['sever']": "Did you mean server?",
    "lab['router']": "ask for the fixture `router`",
    "lab.wire": "ask for the fixture `wire`",
}
VALUES = {
    "server.listen(options=[('SOL_TCP', socket.TCP_NODELAY, 1)])": "write socket.SOL_TCP",
    "connection.client.set_option('SOL_SOCKET', socket.SO_KEEPALIVE, 1)": "write socket.SOL_SOCKET",
    "connection.client.set_option(socket.SOL_SOCKET, 'SO_KEEPALIV', 1)": "socket.SO_KEEPALIVE",
    "connection.client.get_option('IPPROTO_TCP', 1)": "write socket.IPPROTO_TCP",
    "server.listen(options=[(1, socket.SO_KEEPALIVE, 'on')])": "a number or bytes",
    "client.connect(server, port=80, options=[(socket.SO_KEEPALIVE, 1)])": "a level, a name and a",
    "connection.client.send('hello')": "write b'hello'",
    "connection.client.receives('hello')": "write b'hello'",
    "connection.client.receive('5')": "size is a whole number, not '5'",
    "connection.client.shutdown('write')": "shutdown takes READ, WRITE or BOTH",
    "server.listen(port='80')": "a port is a whole number from 0 to 65535, not '80'",
    "server.listen(port=99999)": "a port is a whole number from 0 to 65535, not 99999",
    "server.listen(port=80, backlog='3')": "backlog is a whole number, not '3'",
    "client.connect(server, port='80')": "a port is a whole number from 0 to 65535, not '80'",
    "client.connect(server.listen(port=80), port=80)": "Write client.connect(listener), or with a "
    "host client.connect(server, port=80)",
    "client.connect('server', port=80)": "not to 'server': client.connect(server, port=80)",
    "client.connect(('server', 80))": "client.connect(server, port=80)",
    "client.connect(server)": "Give it as port=…",
    "connection.client.reaches('FIN_WAIT_3')": "Did you mean FIN_WAIT1 or FIN_WAIT2?",
    "connection.client.reaches(None)": "'None' is not a TCP state",
    "connection.client.reaches(ESTABLISHED, owner='client')": "a host, a program, a process id",
    "server.counts(ESTABLISHED, 1, owner='me')": "a host, a program, a process id",
    "connection.client.connecting.fails('ECONNREFUSED')": "write fails(errno.ECONNREFUSED)",
    "server.listen(port=5000)": "port 5000 is LISTEN, a built-in endpoint of the scenario",
    "[connection.client.close(), connection.client.send(b'x')]": "has already closed this socket",
    "[connection.client.close(), connection.client.close()]": "has already closed this socket",
}
PROGRAMS = {
    "client.start('curll http://server')": "does not declare curll",
    "client.start('./nothing')": "No such file or directory: './nothing'",
    "client.start('echo a | cat')": 'start(["sh", "-c", \'echo a | cat\'])',
    "client.start('')": "The command is empty",
}
NOTATION = {
    "client > sever: Flags [S]": "Did you mean server?",
    "client > server Flags [S]": 'expected ":"',
    "client -> server: Flags [S]": 'expected ">"',
    "client > server: Flags [SA]": "for example: Flags [S], Flags [F.]",
    "client > server: [S]": 'expected "Flags"',
    "client > server: Flags [S], seqno J": "expected seq, ack, win, urg, options or length",
    "": "for example: client > server: Flags [S]",
}
MISTAKES = {
    **(WORDS | SETTINGS | VALUES | PROGRAMS),
    **{f"client.iptables({line!r})": said for line, said in RULES.items()},
    **{f"lab.sees({line!r})": said for line, said in NOTATION.items()},
}
TOLD = (AttributeError, *SPEAK_FOR_THEMSELVES)


@pytest.fixture
def connection(client: Host, server: Host) -> Connection:
    made = client.connect(server.listen(port=5000))
    made.server.reaches(ESTABLISHED)
    return made


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_with_what_to_write(
    lab: Lab, client: Host, server: Host, connection: Connection, mistake: str
) -> None:
    known = {**vars(sockstates), "socket": socket, "errno": errno, "lab": lab, "client": client}
    with pytest.raises(TOLD) as failure:
        eval(mistake, known | {"server": server, "connection": connection})
    assert MISTAKES[mistake] in str(failure.value)
    lab.settle()


@pytest.mark.parametrize("spelling", ["ESTABLISHED", "estab", "Established", "TCP_ESTABLISHED"])
def test_a_state_in_another_spelling_is_none(connection: Connection, spelling: str) -> None:
    connection.client.reaches(spelling)


def test_what_is_no_request_at_all_does_not_end_a_host(lab: Lab, client: Host) -> None:
    for request in ("set_sysctl", "sockets.listen", "programs.start", "watch", "none_such"):
        with pytest.raises(sockstates.LabError, match=f"cannot do this \\({request}\\)"):
            client.line.ask(request, (), {"wrong": [None]})
    lab.settle()


FILES = {
    "from sockstates import ESTABLISHED\ndef test_it(lab, client, server):\n    CLOSE_WAIT": (
        "CLOSE_WAIT is not imported: from sockstates import CLOSE_WAIT"
    ),
    "def test_it(lab: Lab): pass": "Lab is not imported: from sockstates import Lab",
    "from sockstates import FIN_WAIT3\ndef test_it(lab): pass": "Did you mean FIN_WAIT1 or FIN_W",
    "from sockstates import Lab\ndef test_it(lab): pass": "from sockstates import Lab",
    "import pytest\n@pytest.mark.clams('T1')\ndef test_it(lab): pass": "pytest.mark.claims?",
    "def test_it(lab, sever): pass": "Did you mean the fixture server?",
    "def test_it(httpserver, lab): pass": "fixture 'httpserver' not found",
    "def test_it(lab, client, server):\n    client.connect(server.listen()).reaches('LISTEN')": (
        "The call is written: reaches(*, client, server, seconds=…)"
    ),
    "def test_it(lab, client, server):\n    client.listen(prot=80)": (
        "The call is written: listen(port=…, *, backlog=…"
    ),
    "def test_it(lab, client)\n    pass": "expected ':'",
}
"""A whole file -> what pytest says of it."""


def test_a_file_with_a_mistake_is_told_what_was_meant(runs: Runs) -> None:
    for number, text in enumerate(FILES):
        (runs.folder / f"test_wrong{number}.py").write_text(text)
    said = runs.run("--continue-on-collection-errors").stdout.str()
    for number, hint in enumerate(FILES.values()):
        assert re.search(rf"test_wrong{number}\b", said)
        assert hint in said


def test_the_fixture_lab_need_not_be_named_and_steps_need_not_be_told(runs: Runs) -> None:
    runs.write(
        """
        def test_it(client, server):
            client.connect(server.listen(port=80)).server.reaches(ESTABLISHED)
        """
    )
    runs.run().assert_outcomes(passed=1)
