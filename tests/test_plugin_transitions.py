"""``--lab-transitions`` in real runs of pytest: what is printed, and when it is red."""

import pytest

from tests.scenario_runs import CONNECTED, FAILING, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
WIDTH = 80
REFUSED = '''
def test_refused(lab, client, server):
    """The port is closed."""
    rule = server.iptables("-A INPUT -j DROP")
    client_end = client.connect(server, port=80).client
    client_end.reaches(SYN_SENT)
    rule.delete()
    client_end.connecting.fails(errno.ECONNREFUSED)
'''


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_what_was_seen_is_printed_with_its_scenario(runs: Runs, workers: tuple[str, ...]) -> None:
    runs.write(CONNECTED + REFUSED)
    result = runs.run("--lab-transitions", *workers)
    result.stdout.fnmatch_lines(
        [
            "*= transitions of RFC 9293's state diagram =*",
            "CLOSED -> LISTEN  passive OPEN / -  * (Figure 5)",
            "    test_established",
            "LISTEN -> SYN_SENT  SEND / snd SYN  * (Figure 5)",
            "    not on Linux: *",
            "SYN_SENT -> CLOSED  rcv RST / -  * (3.10.7.3)",
            "    test_refused",
            "TIME_WAIT -> CLOSED  timeout / -  * (Figure 5)",
            "    NOT SEEN. On Linux: after 60 s*",
            "* of Linux's 53 transitions seen in 2 scenarios",
        ]
    )
    assert result.ret == pytest.ExitCode.OK
    begins = next(n for n, line in enumerate(result.outlines) if "-> LISTEN" in line)
    told = result.outlines[begins:-1]
    assert max(len(line) for line in told) <= WIDTH


def test_a_whole_run_is_red_when_one_was_not_seen(runs: Runs) -> None:
    runs.write(CONNECTED)
    result = runs.run("--lab-transitions", "-o", "testpaths=.")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["* missing, although all scenarios ran"])
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("selection", [("-k", "established"), ("test_it.py::test_established",)])
def test_a_selection_only_prints(runs: Runs, selection: tuple[str, ...]) -> None:
    runs.write(CONNECTED)
    result = runs.run("--lab-transitions", "-o", "testpaths=.", *selection)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["* transitions seen in 1 scenarios"])


def test_a_scenario_that_failed_counts_for_nothing(runs: Runs) -> None:
    runs.write(FAILING)
    result = runs.run("--lab-transitions")
    result.stdout.fnmatch_lines(["0 of Linux's 53 transitions seen in 0 scenarios"])


def test_nothing_is_said_without_the_option(runs: Runs) -> None:
    runs.write(CONNECTED)
    result = runs.run("-o", "testpaths=.")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*transitions*")
