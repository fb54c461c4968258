"""``--lab-ladder``: the diagrams in a run's output, in order and no wider than the terminal."""

import os
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from sockstates.record.events import CallBegan, CallEnded, RuleChanged, SocketSeen, Step
from sockstates.record.kernel_events import StateChanged
from sockstates.report.text import ladder
from sockstates.tcp.segment import Address
from sockstates.tcp.states import (
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    TIME_WAIT,
    State,
)
from tests.recorded import Written, at, empty_timeline, sends
from tests.scenario_runs import CONNECTED, FAILING, Runs, runs
from tests.terminal import Terminal, screen

pytest_plugins = ["pytester"]
__all__ = ["runs"]

CLIENT, SERVER = Address("10.0.0.1", 43210), Address("10.0.0.2", 16868)
MANY = """
def test_last(lab, client, server):
    client.connect(server.listen(port=80)).client.reaches(ESTABLISHED)

def test_before_it_in_name_only(lab):
    lab.step("Nothing is sent.")

def test_another(lab, client, server):
    client.connect(server.listen(port=81)).client.reaches(ESTABLISHED)
"""


def diagrams(result: pytest.RunResult) -> list[str]:
    """The part of the output that has them."""
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if re.fullmatch("=+ ladders =+", line))
    return lines[start + 1 :]


@pytest.mark.parametrize("workers", [(), ("-n", "2"), ("-v",)])
def test_each_scenario_in_the_order_of_its_file(runs: Runs, workers: tuple[str, ...]) -> None:
    runs.write(MANY)
    runs.write(CONNECTED, name="test_first")
    result = runs.run("--lab-ladder", *workers)
    result.assert_outcomes(passed=4)
    heads = [line for line in diagrams(result) if re.match(r"test_\w+\.py::", line)]
    assert heads == [
        "test_first.py::test_established[ipv4]",
        "test_it.py::test_last[ipv4]",
        "test_it.py::test_before_it_in_name_only[ipv4]",
        "test_it.py::test_another[ipv4]",
    ]
    result.stdout.fnmatch_lines(
        [
            "Both ends are ESTABLISHED.",
            "            client.*server.80",
            "*|---- ?S? seq 0 -*->|",
            "*| connect() returned after * ms  *|",
            "A module's title.",
            "no TCP segment was captured",
        ]
    )


def test_without_the_option_there_are_none(runs: Runs) -> None:
    runs.write(CONNECTED)
    result = runs.run("-v")
    result.stdout.no_fnmatch_line("*seq 0*")
    result.stdout.no_fnmatch_line("*ladders*")


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_failure_has_the_whole_of_its_own(runs: Runs, workers: tuple[str, ...]) -> None:
    exchange = """
    connection.client.send(bytes(30000))
    connection.server.receives(bytes(30000))
    client.sysctl("""
    many = FAILING.replace("\n    client.sysctl(", exchange)
    runs.write(many)
    short, whole = runs.run(*workers), runs.run("--lab-ladder", *workers)
    short.stdout.fnmatch_lines(["The wire, the last 12 of * segments:"])
    short.stdout.no_fnmatch_line("*seq 0,*")
    whole.stdout.fnmatch_lines(
        ["The wire:", "*[[]S[]] seq 0*", "*connect() returned*", "*[[]F.[]]*"]
    )
    whole.stdout.no_fnmatch_line("*ladders*")


@pytest.mark.parametrize(("columns", "workers"), [(40, ()), (120, ("-n", "1"))])
def test_no_wider_than_the_terminal(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, columns: int, workers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    runs.write(CONNECTED + FAILING)
    result = runs.run("--lab-ladder", *workers)
    drawn = [line for line in result.outlines if re.match(r" +\d\.\d{6}  [|=]", line)]
    assert len(drawn) > 10
    widest = max(map(len, drawn))
    assert columns - 1 <= widest <= columns
    lanes = [line for line in drawn if line.endswith(("|", ">"))]
    assert {len(line) for line in lanes if line[12] == "|"} == {columns}


def test_in_a_real_terminal(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its width is found without COLUMNS, and no line of the diagram is broken there."""
    monkeypatch.delenv("COLUMNS")
    runs.write(CONNECTED)
    terminal = Terminal(runs.command("--lab-ladder"), runs.folder)
    written = terminal.wait_for("1 passed")
    assert terminal.ends() == pytest.ExitCode.OK
    lines = screen(written)
    (syn,) = [line for line in lines if "[S] seq 0" in line]
    assert syn.endswith(">|")
    assert len(syn) == 80


def test_as_a_person_without_a_terminal_sees_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a log of CI: 80 columns, no control characters."""
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setenv("TERM", "dumb")
    runs.write(CONNECTED)
    result = runs.run("--lab-ladder")
    text = "\n".join(result.outlines)
    assert re.search(r"^.{78}>\|$", text, re.MULTILINE)
    assert text.isascii()
    assert "\x1b" not in text
    assert os.environ["TERM"] == "dumb"


class TestDiagram:
    """What the diagram shows when it shows everything, on timelines made by hand."""

    def seen(self, seconds: float, state: State) -> SocketSeen:
        return SocketSeen(at(seconds), "client", CLIENT, SERVER, state)

    def test_a_call_stands_where_it_begins_and_where_it_ends(self) -> None:
        made = empty_timeline()
        ends = CLIENT, SERVER
        made.add(CallBegan(at(0.001), "client", 1, "connect", "server port 16868", *ends))
        made.add(CallEnded(at(0.004), "client", 1, "connect", 111))
        made.add(CallBegan(at(0.005), "server", 2, "recv", "5", SERVER, CLIENT))
        sends(made, 0.002, CLIENT, SERVER, Written("S", 1))
        sends(made, 0.006, SERVER, CLIENT, Written("R.", 0, 2))
        _, *lines = ladder(made, calls=True).splitlines()
        assert [line[12:].strip("| ") for line in lines] == [
            "connect(server port 16868)",
            "---- [S] seq 1 -------------------------------------------------->".replace(
                "seq 1", "seq 0"
            ),
            "connect() failed after 3.0 ms: ECONNREFUSED (Connection refused)",
            "recv(5) waits",
            "<--- [R.] seq 0, ack 1 -------------------------------------------",
        ]
        assert ladder(made).count("connect()") == 0

    def test_words_that_do_not_fit_beside_a_lane_take_more_lines(self) -> None:
        made = empty_timeline()
        made.add(CallBegan(at(0.001), "client", 1, "recv", "5", CLIENT, SERVER))
        made.add(CallEnded(at(0.004), "client", 1, "recv", 104))
        made.add(CallBegan(at(0.005), "client", 2, "send", "word " * 50, CLIENT, SERVER))
        sends(made, 0.002, CLIENT, SERVER, Written("S", 1))
        lines = ladder(made, width=50, calls=True).splitlines()
        assert {len(line) for line in lines[1:]} == {50}
        beside = [line[12:].strip("| ") for line in lines[3:]]
        failed, word = " ".join(beside[:3]), beside[3:]
        assert failed == "recv() failed after 3.0 ms: ECONNRESET (Connection reset by peer)"
        assert len(word) == 3
        assert beside[-1].endswith("...")

    def test_the_kernels_own_moments_come_before_those_of_samples(self) -> None:
        """CLOSING lasted 20 microseconds, which no sample saw; TIME_WAIT is no CLOSED."""
        made = empty_timeline()
        sends(made, 0.002, CLIENT, SERVER, Written("F.", 1, 1))
        changes = [ESTABLISHED, FIN_WAIT1, CLOSING, CLOSED]
        for number, (before, after) in enumerate(pairwise(changes)):
            moment = at(0.001 + number * 0.00002)
            made.add(StateChanged(moment, "client", CLIENT, SERVER, before, after))
        made.add(self.seen(0.0005, ESTABLISHED))
        made.add(self.seen(0.003, TIME_WAIT))
        text = ladder(made)
        states = re.findall(r"\| ([A-Z_12]+) ", text)
        assert states == ["ESTABLISHED", "FIN_WAIT1", "CLOSING", "TIME_WAIT"]
        assert "0.001020  | CLOSING" in text

    @pytest.mark.parametrize("ends", [True, False])
    def test_an_orphan_in_fin_wait2_is_not_in_time_wait(self, ends: bool) -> None:
        """The tracepoint says CLOSE where the kernel keeps it in less memory; samples go on."""
        made = empty_timeline()
        sends(made, 0.002, CLIENT, SERVER, Written("F.", 1, 1))
        changes = [ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED]
        for number, (before, after) in enumerate(pairwise(changes)):
            moment = at(0.001 + number * 0.00002)
            made.add(StateChanged(moment, "client", CLIENT, SERVER, before, after))
        made.add(replace(self.seen(0.0011, FIN_WAIT2), not_before=at(0.0001)))
        made.sampled["client"] = at(1)
        if ends:
            made.add(replace(self.seen(1.2, TIME_WAIT), not_before=at(1.1)))
        text = ladder(made)
        assert "CLOSED" not in text
        assert ("1.200000  | TIME_WAIT" in text) is ends

    def test_states_of_samples_where_there_is_nothing_else(self) -> None:
        made = empty_timeline()
        sends(made, 0.002, CLIENT, SERVER, Written("F.", 1, 1))
        made.add(self.seen(0.003, FIN_WAIT1))
        made.add(self.seen(0.004, FIN_WAIT2))
        assert re.findall(r"\| ([A-Z_12]+) ", ladder(made)) == ["FIN_WAIT1", "FIN_WAIT2"]

    @pytest.mark.parametrize("width", [40, 41, 60, 80, 160])
    def test_everything_fits(self, width: int) -> None:
        made = empty_timeline("router")
        made.add(Step(at(0), "A step of many words, which go on for more than one line. " * 3))
        made.add(RuleChanged(at(0.1), "client", "-A INPUT -p tcp -s server -j DROP" * 3, "applied"))
        made.add(CallBegan(at(0.001), "client", 1, "connect", "server port 16868", CLIENT, SERVER))
        sends(made, 0.2, CLIENT, SERVER, Written("P.", 1, 1, bytes(99)), seen_at=())
        sends(made, 0.3, SERVER, CLIENT, Written("P.", 4000000000, 4000000000, bytes(999)))
        sends(made, 3.3, CLIENT, SERVER, Written("F.", 4000000000, 4000000000))
        made.add(self.seen(0.25, ESTABLISHED))
        lines = ladder(made, width=width, until=at(9), calls=True).splitlines()
        assert max(map(len, lines)) == width
