"""Backwards: what fits a duration, an errno, a state or a count, and what if nothing does."""

from pathlib import Path

import pytest

from sockstates.commands import explain
from sockstates.tcp.causes import Seen, nearest, ranked
from sockstates.tcp.kernel import Kernel
from sockstates.tcp.silence import Situation
from sockstates.tcp.states import State

MACHINE = Situation(Kernel((6, 18), 250))


def first(seconds: float | None = None, **more: object) -> str:
    """The line of the most likely cause, or its title where no timer is behind it."""
    cause = ranked(Seen(seconds, **more), MACHINE)[0]  # type: ignore[arg-type]
    return cause.line or cause.title


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (131, "syn"),
        (127, "syn --set tcp_syn_linear_timeouts=0"),
        (930, "data"),
        (63, "synack"),
        (105, "fin"),
        (7880, "keepalive"),
    ],
)
def test_a_duration_has_a_first_cause(seconds: float, line: str) -> None:
    assert first(seconds) == line


def test_a_rounded_duration_may_have_been_longer() -> None:
    assert first(900, rounded=30.0) == "data"
    assert "got through" in ranked(Seen(900), MACHINE)[0].title


def test_a_state_and_a_count_narrow_it_down() -> None:
    assert first(60, state=State.TIME_WAIT) == "time-wait"
    assert first(60, state=State.FIN_WAIT2) == "fin-wait2"
    assert first(retransmits=10, errno="ETIMEDOUT") == "syn"
    assert first(retransmits=15, state=State.ESTABLISHED, errno="ETIMEDOUT") == "data"


def test_a_pause_without_an_error_is_a_loss_that_healed() -> None:
    (cause,) = ranked(Seen(7, retransmits=6, state=State.SYN_SENT), MACHINE)[-1:]
    assert "was lost 6 times, and then got through" in cause.title


def test_what_no_timer_makes_is_thought_of_too() -> None:
    assert "reset" in " ".join(each.title for each in ranked(Seen(errno="ECONNRESET"), MACHINE))
    assert "neighbour" in first(3, errno="EHOSTUNREACH")


def test_the_nearest_is_told_with_how_far_off_it_is() -> None:
    assert not ranked(Seen(42), MACHINE)
    near = nearest(Seen(42), MACHINE)
    assert near is not None
    assert near.off(Seen(42)) == pytest.approx(42 - (35 * 1.125 + 0.02))


@pytest.mark.parametrize(
    ("text", "seconds", "rounded"),
    [
        ("131", 131, 0.5),
        ("131s", 131, 0.5),
        ("2m11s", 131, 0.5),
        ("15 min", 900, 30),
        ("1.5h", 5400, 180),
        ("200ms", 0.2, 0.0005),
        ("0.20 s", 0.2, 0.005),
    ],
)
def test_durations(text: str, seconds: float, rounded: float) -> None:
    assert explain.seconds_of(text) == pytest.approx((seconds, rounded))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "what was seen?"),
        ("soon", "write it like 131s"),
        ("-3s", "unrecognized arguments|no duration|expected"),
        ("12x", "no duration"),
        ("--errno ETIMEOUT", "no errno"),
        ("--state SYNSEND", "SYN_SENT"),
        ("--retransmits -1", "a count"),
        ("5s --kernel 4.4", "older than all"),
        ("5s --set tcp_nothing=1", "no setting of TCP's timers"),
    ],
)
def test_what_cannot_be_read(line: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = explain.main(line.split())
    except SystemExit as stop:
        status = int(str(stop.code))
    assert status == explain.WRONG_USAGE
    error = capsys.readouterr().err
    assert any(each in error for each in problem.split("|"))


def test_the_command_names_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.main(["131s", "--kernel", "6.18", "--hz", "250"]) == 0
    page = capsys.readouterr().out
    assert page.index("1. connect(2): a SYN that nobody answers") < page.index("scenarios/opening/")
    assert "sockstates predict syn" in page
    assert all(len(each) <= 80 or each.startswith("     scenarios/") for each in page.splitlines())


def test_nothing_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.main(["42s", "--kernel", "6.18"]) == explain.NOTHING_FITS
    error = capsys.readouterr().err
    assert "nearest" in error
    assert "off by   2.1" in error
    assert explain.main(["--errno", "ENOENT"]) == explain.NOTHING_FITS
    assert "no cause looks so" in capsys.readouterr().err


def test_scenarios_are_found_by_their_markers(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "@pytest.mark.phenomenon(1, symptom='hangs', predict='data --owned')\n"
        "def test_it(lab): ...\n"
    )
    found = dict(explain.scenarios_by_line(tmp_path))
    where = f"{tmp_path.name}/test_one.py::test_it"
    assert found == {"data --owned": where, "data": where}


def test_a_scenario_stands_for_each_kind() -> None:
    shown = dict(explain.scenarios_by_line())
    assert {"syn", "synack", "data", "probe", "keepalive", "fin", "fin-wait2", "time-wait"} <= set(
        shown
    )
