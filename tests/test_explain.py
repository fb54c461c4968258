"""Backwards: what fits a duration, an errno, a state or a count, and what if nothing does."""

from dataclasses import replace
from pathlib import Path

import pytest

from sockstates.commands import explain
from sockstates.commands.predict import prediction_of
from sockstates.tcp.causes import (
    EITHER,
    KEEPALIVE_OPTIONS,
    KEEPALIVE_SETTINGS,
    ORPHANS_STATES,
    SECONDS_OF,
    STATES,
    Seen,
    names_of,
    nearest,
    ranked,
)
from sockstates.tcp.kernel import Kernel
from sockstates.tcp.kernel_settings import IPV4, OPTIONS, SETTINGS
from sockstates.tcp.prediction import KINDS, ORPHANED, predict
from sockstates.tcp.silence import Situation
from sockstates.tcp.states import State
from tests.prediction_table import Case, cases

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
    causes = ranked(Seen(7, retransmits=6, state=State.SYN_SENT), MACHINE)
    assert any("was lost 6 times, and then got through" in each.title for each in causes)


def test_what_no_timer_makes_is_thought_of_too() -> None:
    assert "reset" in " ".join(each.title for each in ranked(Seen(errno="ECONNRESET"), MACHINE))
    assert "neighbour" in first(3, errno="EHOSTUNREACH")


def test_the_nearest_is_told_with_how_far_off_it_is() -> None:
    seen = Seen(0.5, state=State.SYN_RECV)
    assert not ranked(seen, MACHINE)
    near = nearest(seen, MACHINE)
    assert near is not None
    assert near.off(seen) == pytest.approx(1 - 0.02 - 0.5)


SWEEP = tuple(
    (kind, orphan, name)
    for kind in KINDS
    for orphan in ((False, True) if kind in EITHER else (kind in ORPHANED,))
    for name in names_of(kind)
)
"""Each kind, with a program and without where that can be, with each thing that can change it."""


LONGEST_SWEPT = 3600
"""Seconds: with a longer time there are only more repetitions."""


def values_of(name: str) -> list[float]:
    """From the least to the greatest that the predictor takes, some of every size between."""
    known = SETTINGS.get(name) or OPTIONS[name]
    unit = SECONDS_OF.get(known.unit.split()[0].rstrip(";"), 1)
    many = [1, 7, 75, *(15 * 10**power for power in range(2, 7))]
    return [
        each
        for each in (*many, int(known.low), int(known.high))
        if known.low <= each <= min(known.high, LONGEST_SWEPT / unit)
    ]


@pytest.mark.parametrize(
    ("kind", "orphan", "name"), SWEEP, ids=[f"{k}-{'orphan' * o}-{n}" for k, o, n in SWEEP]
)
def test_whatever_predict_gives_explain_knows(kind: str, *, orphan: bool, name: str) -> None:
    as_it_is = predict(kind, replace(MACHINE, orphan=orphan))
    for value in values_of(name):
        given = {(IPV4 + name) if name in SETTINGS else name: value}
        changed = (
            replace(
                MACHINE, orphan=orphan, settings={key: str(each) for key, each in given.items()}
            )
            if name in SETTINGS
            else replace(MACHINE, orphan=orphan, options=given)
        )
        made = predict(kind, changed)
        seen = Seen(
            made.gives_up,
            errno=made.errno,
            state=(ORPHANS_STATES if orphan else STATES)[kind][0],
            retransmits=len(made.moments),
        )
        found = [each for each in ranked(seen, MACHINE) if each.kind == kind]
        alike = (made.gives_up, made.errno) == (as_it_is.gives_up, as_it_is.errno)
        wanted = () if alike and made.moments == as_it_is.moments else (name,)
        assert wanted in [each.names for each in found], (value, seen)


def least_and_most() -> list[Case]:
    """The first and the last case of each kind with the same things changed, two or more."""
    found: dict[object, list[Case]] = {}
    for case in cases():
        changed = (*case.settings, *case.options)
        if len(changed) > 1 and case.is_for(MACHINE.kernel):
            found.setdefault((case.kind, case.orphan, changed, case.round_trip), []).append(case)
    return [case for same in found.values() for case in same[:1] + same[1:][-1:]]


@pytest.mark.parametrize("case", least_and_most(), ids=lambda case: case.id)
def test_what_a_kernel_was_seen_to_do_is_explained(case: Case) -> None:
    """Cases of the table that real kernels are held against; explain is told all but one change."""
    made = case.prediction(MACHINE.kernel)
    changes = {**case.settings, **case.options}
    for name in changes:
        told = replace(
            MACHINE,
            settings={key: str(each) for key, each in case.settings.items() if key != name},
            options={key: each for key, each in case.options.items() if key != name},
        )
        state = (ORPHANS_STATES if case.orphan else STATES)[case.kind][0]
        seen = Seen(made.gives_up, 0, made.errno, state, len(made.moments))
        found = [each for each in ranked(seen, told) if each.kind == case.kind]
        assert any(each.names in ((), (name,)) for each in found), (name, seen)


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("interval", [1, 15, 75])
def test_the_three_of_keepalive_are_found_together(interval: int, count: int) -> None:
    for names in (KEEPALIVE_OPTIONS, KEEPALIVE_SETTINGS):
        (cause,) = (
            each
            for each in ranked(Seen(40 + interval * count, retransmits=count), MACHINE)
            if each.names == names
        )
        assert cause.seconds == 40 + interval * count


@pytest.mark.parametrize(
    "line",
    [
        "2s --errno EINPROGRESS",
        "127s",
        "127s --kernel 6.1",
        "20s --set tcp_retries2=5 --option TCP_SYNCNT=2",
        "20s --hz 100 --round-trip 0.2",
        "42s",
        "--state FIN_WAIT2",
    ],
)
def test_the_line_that_is_printed_predicts_what_is_said(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = explain.parser().parse_args(line.split())
    found = ranked(explain.seen_of(wishes), explain.machine_of(wishes))
    assert explain.main(line.split()) == 0
    page = " ".join(capsys.readouterr().out.split())
    for cause in found:
        if cause.line:
            command = explain.predicting(cause, wishes)
            assert f"predict {command}" in page
            made = prediction_of(command)
            moments = (*made.moments, made.gives_up)
            ends = moments if "healed" in cause.kind else (made.gives_up,)
            assert cause.seconds in ends
            assert cause.errno in (made.errno, "")


def test_a_call_that_its_program_limits_is_thought_of() -> None:
    titles = [each.title for each in ranked(Seen(2, errno="EAGAIN"), MACHINE)]
    assert [title.partition(":")[0] for title in titles] == ["send(2)", "recv(2) or accept(2)"]
    assert explain.errno_of("ewouldblock") == "EAGAIN"


def test_a_socket_that_its_program_keeps_waits_for_ever() -> None:
    (cause,) = (
        each for each in ranked(Seen(state=State.FIN_WAIT2), MACHINE) if each.seconds is None
    )
    assert cause.line == "fin-wait2 --owned"


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
        ("-3s", "unrecognized arguments|not a duration|expected"),
        ("12x", "not a duration"),
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
    line = ["0.5s", "--state", "SYN_RECV", "--kernel", "6.18"]
    assert explain.main(line) == explain.NOTHING_FITS
    error = capsys.readouterr().err
    assert "nearest" in error
    assert "off by   0.43" in error
    assert explain.main(["--errno", "ENOENT"]) == explain.NOTHING_FITS
    assert "no cause looks like this" in capsys.readouterr().err


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
