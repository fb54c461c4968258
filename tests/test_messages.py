"""What people read when something is wrong: the thing, the place, the next step, on one screen."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from sockstates import CLOSING, ESTABLISHED, Connection, ExpectationFailed, Host, Lab, LabError
from sockstates.sandbox.rules.errors import RuleSyntaxError, UnknownHostError
from sockstates.tcp.matching import UnknownHost
from sockstates.tcp.reading import NotationError
from sockstates.tcp.states import UnknownState
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
pytestmark = pytest.mark.families("ipv4")
SCREEN = 24


@pytest.fixture
def connection(lab: Lab, client: Host, server: Host) -> Connection:
    """An established connection to port 80, in a lab that waits a short time only."""
    made = client.connect(server.listen(port=80))
    made.client.reaches(ESTABLISHED)
    made.server.reaches(ESTABLISHED)
    lab.deadlines.patience = 0.2
    return made


def said(kind: type[Exception], wrong: Callable[[], object], *words: str) -> str:
    """What the error says; it must have these words, in this order, and fit on a screen."""
    with pytest.raises(kind) as caught:
        wrong()
    text = str(caught.value)
    assert len(text.splitlines()) <= SCREEN
    position = 0
    for word in words:
        assert word in text[position:], f"{word!r} is missing in\n{text}"
        position = text.index(word, position) + len(word)
    return text


class TestWhatIsTyped:
    def test_a_wrong_rule_is_underlined(self, client: Host) -> None:
        text = said(
            RuleSyntaxError,
            lambda: client.iptables("-A INPUT -s server -j DROPP"),
            "'DROPP'", "-A INPUT -s server -j DROPP\n", "^^^^^\n", "Supported: DROP, ACCEPT",
        )  # fmt: skip
        _, typed, pointer, _ = text.splitlines()
        assert typed[pointer.index("^") :] == "DROPP"

    def test_an_unknown_state_names_them_all_and_the_nearest(self, connection: Connection) -> None:
        server = connection.server
        said(UnknownState, lambda: server.reaches("ESTABLISHD"), "'ESTABLISHD'", "ESTABLISHED?")
        said(UnknownState, lambda: server.stays("HALF", seconds=1), "'HALF'", "SYN_SENT", "CLOSING")

    def test_an_unknown_host_names_those_that_there_are(self, lab: Lab, client: Host) -> None:
        rule = "-A INPUT -s nobody -j DROP"
        pattern = "nobody > client: Flags [S]"
        said(LabError, lambda: lab["nobody"], "'nobody'", "client, server")
        said(UnknownHostError, lambda: client.iptables(rule), "'nobody'", "client", "server")
        said(UnknownHost, lambda: lab.sees(pattern), "'nobody'", "client", "server")

    def test_a_wrong_pattern_is_underlined_with_an_example(self, lab: Lab) -> None:
        said(
            NotationError,
            lambda: lab.sees("client > server: Flagz [S]"),
            "line 1", 'expected "Flags"', "Flagz [S]\n", "^^^^^", "for example: client > server",
        )  # fmt: skip

    def test_a_missing_port_an_owner_and_a_setting(
        self, client: Host, server: Host, connection: Connection
    ) -> None:
        said(LabError, lambda: client.connect(server), "client", "which port of server", "port=")
        nobody_known: Any = "me"  # a type error where it is written as a text
        said(
            LabError,
            lambda: connection.server.reaches(ESTABLISHED, owner=nobody_known),
            "a host, a program, a process id or None", "'me'",
        )  # fmt: skip
        said(
            LabError,
            lambda: client.sysctl("net.ipv4.nonsense"),
            "client",
            "a host has no sysctl net.ipv4.nonsense",
        )

    def test_a_rule_that_is_none_cannot_be_deleted(self, client: Host) -> None:
        said(LabError, lambda: client.iptables("-P INPUT ACCEPT").delete(), "client", "-P INPUT")


class TestWhatWasExpected:
    def test_a_state_that_does_not_come(self, connection: Connection) -> None:
        said(
            ExpectationFailed,
            lambda: connection.server.reaches(CLOSING, owner=None, seconds=0.2),
            "server.80 (to client.", "did not reach CLOSING within ",
            "expected  CLOSING, owner nobody",
            "seen      ESTABLISHED since ",
            "differs   state ESTABLISHED, expected CLOSING",
        )  # fmt: skip

    def test_an_endpoint_that_was_never_there(self, connection: Connection, server: Host) -> None:
        nowhere = connection.client.host.connect(server, port=99)
        said(
            ExpectationFailed,
            lambda: nowhere.server.reaches(ESTABLISHED, seconds=0.2),
            "server.99", "seen      never seen", "others    ", "80 LISTEN",
        )  # fmt: skip
        assert nowhere.client.connecting is not None
        nowhere.client.connecting.fails(errno.ECONNREFUSED)

    def test_a_state_that_does_not_stay(self, connection: Connection) -> None:
        said(
            ExpectationFailed,
            lambda: connection.server.stays(CLOSING, seconds=0.1),
            "did not stay CLOSING for 0.1 s (", " samples)", "expected", "seen      ESTABLISHED",
        )  # fmt: skip

    def test_a_segment_that_does_not_come(self, lab: Lab, connection: Connection) -> None:
        assert connection
        said(
            ExpectationFailed,
            lambda: lab.sees("client > server: Flags [F.]"),
            "expected", "seen", "client > server: Flags [F.]", "What differs:", "expected [F.]",
        )  # fmt: skip

    def test_segments_that_nobody_expected(self, lab: Lab, connection: Connection) -> None:
        assert connection
        said(
            ExpectationFailed,
            lambda: lab.sees_only("client > server: Flags [S]"),
            "more than was expected: 3 segments", "Not expected:",
            "server.80 > client.", "Flags [S.]", "Flags [.]",
        )  # fmt: skip

    def test_a_call_that_waits_or_ends_differently(self, connection: Connection) -> None:
        call = connection.server.receive()
        said(
            ExpectationFailed,
            lambda: call.returns(seconds=0.1),
            "recv on server has not ended: it has been waiting for ",
        )
        said(LabError, connection.server.receive, "server.80", "recv", ".returns()")
        connection.client.send(b"abc")
        said(ExpectationFailed, lambda: call.returns(b"x"), "expected  b'x'", "seen      b'abc'")
        said(
            ExpectationFailed,
            lambda: call.fails(errno.ECONNRESET),
            "expected  ECONNRESET (", "seen      success",
        )  # fmt: skip

    def test_a_program_that_does_not_do_what_it_should(self, client: Host) -> None:
        program = client.start(["sh", "-c", "echo hello >&2; exit 3"])
        said(
            ExpectationFailed,
            lambda: program.listens(99),
            "on client was expected to listen on port 99", "exit status 3", "stderr    hello",
        )  # fmt: skip


class TestWhatIsNotThere:
    def test_a_port_that_is_taken_names_who_has_it(
        self, server: Host, connection: Connection
    ) -> None:
        assert connection
        said(
            LabError,
            lambda: server.listen(port=80),
            "server cannot listen on 0.0.0.0 port 80", "in use", "LISTEN, a built-in endpoint",
        )  # fmt: skip

    def test_an_address_that_is_another_hosts_names_our_own(
        self, server: Host, client: Host
    ) -> None:
        said(
            LabError,
            lambda: server.listen(port=81, address=client.address),
            client.address, "assign requested address", server.address,
        )  # fmt: skip

    def test_a_program_that_is_not_installed(self, client: Host) -> None:
        client.lab.declared = None
        said(LabError, lambda: client.start("no-such-program -x"), "client", "not installed")

    def test_a_program_that_is_not_declared(self, client: Host) -> None:
        said(LabError, lambda: client.start("nc server 80"), "client", "declare nc", "programs(")

    @pytest.mark.programs("unshare", "sh")
    @pytest.mark.parametrize("limit", ["net", "pid", "mnt"])
    def test_a_privilege(self, runs: Runs, limit: str) -> None:
        """In a user namespace that may have no further namespaces of that kind."""
        runs.write("def test_it(lab):\n    pass\n")
        script = f'echo 0 > /proc/sys/user/max_{limit}_namespaces && exec "$@"'
        result = runs.run_command("unshare", "-Ur", "sh", "-c", script, "sh", *runs.command())
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["this process is not allowed to make a lab: *", "What this machine can do for a lab"]
        )
        result.stdout.no_fnmatch_line("*Traceback*")


def test_a_capture_that_lost_frames_is_inconclusive_and_says_so(runs: Runs) -> None:
    runs.write(
        """
        from sockstates.record.events import FramesLost

        def test_would_pass(lab):
            lab.timeline.add(FramesLost(lab.now(), "client", 3))

        def test_fails_too(lab, client, server):
            lab.timeline.add(FramesLost(lab.now(), "server", 7))
            client.connect(server.listen()).server.reaches(CLOSING, seconds=0.1)
        """
    )
    result = runs.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*Inconclusive: the capture on client lost 3 frames: *",
            "CAUTION   client: THE CAPTURE LOST 3 FRAMES: this run may prove nothing",
            "*Inconclusive: the capture on server lost 7 frames: *",
            "*As far as it goes, it says: server.* did not reach CLOSING *",
            "CAUTION   server: THE CAPTURE LOST 7 FRAMES: this run may prove nothing",
        ]
    )


def test_a_failure_also_names_calls_that_failed_unexpectedly(runs: Runs) -> None:
    runs.write(
        """
        def test_does_not_wait_for_data(client, server):
            connection = client.connect(server.listen())
            connection.server.receive(18)
            connection.server.close()
            connection.server.reaches(CLOSING, seconds=0.1)
        """
    )
    result = runs.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["call      recv on server failed with EBADF (*)"])


def test_a_host_that_died_is_named(runs: Runs) -> None:
    runs.write(
        """
        import os, signal

        def test_it(lab, client, server):
            os.kill(server.pid, signal.SIGKILL)
            server.listen(port=80)
        """
    )
    result = runs.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">       server.listen(port=80)", "E *HostGone: host 'server' did not answer*ended*"]
    )
    result.stdout.no_fnmatch_line("*harness/sockstates/lab*")
