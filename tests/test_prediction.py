"""What the predictor says: the schedules that were measured, its units, and what it refuses."""

import json
import subprocess
import sys

import pytest

from sockstates.commands import predict as command
from sockstates.tcp.kernel import Kernel, UnknownKernel
from sockstates.tcp.kernel_settings import SettingError, checked_option, checked_setting
from sockstates.tcp.prediction import KINDS, ORPHANED, UnknownKind, predict
from sockstates.tcp.silence import Situation, deferred_timeouts

OLD, NEW = Kernel((6, 1)), Kernel((6, 18))


def schedule(kind: str, kernel: Kernel = NEW, **more: float) -> tuple[float, ...]:
    """Settings in small letters, options in capitals."""
    settings = {name: str(int(value)) for name, value in more.items() if name.islower()}
    options = {name: value for name, value in more.items() if name.isupper()}
    return predict(kind, Situation(kernel, settings, options, kind in ORPHANED)).schedule


def test_a_syn_is_repeated_linearly_at_first() -> None:
    assert schedule("syn") == (0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131)


@pytest.mark.parametrize(
    "syn", [schedule("syn", OLD), schedule("syn", tcp_syn_linear_timeouts=0)], ids=["6.1", "set"]
)
def test_the_classic_schedule_of_a_syn(syn: tuple[float, ...]) -> None:
    assert syn == (0, 1, 3, 7, 15, 31, 63, 127)


def test_few_repetitions_of_a_syn_cut_the_linear_ones_short() -> None:
    assert schedule("syn", tcp_syn_retries=1) == (0, 1, 2, 3)
    assert schedule("syn", TCP_SYNCNT=2) == (0, 1, 2, 3, 4, 5, 7)


def test_a_user_timeout_is_looked_at_when_a_timer_runs_out() -> None:
    assert schedule("syn", TCP_USER_TIMEOUT=2500) == (0, 1, 2, 2.5)
    assert schedule("syn", TCP_USER_TIMEOUT=500) == (0, 1, 1.004)
    assert schedule("data", TCP_USER_TIMEOUT=1000)[-1] == pytest.approx(1.408)


def test_a_synack_is_given_up_by_count() -> None:
    assert schedule("synack") == (0, 1, 3, 7, 15, 31, 63)
    assert schedule("synack", tcp_synack_retries=0) == (0, 1)


def test_a_deferred_accept_is_silent_until_it_ends() -> None:
    assert schedule("synack", TCP_DEFER_ACCEPT=5) == (0, 7, 15, 31, 63)
    assert schedule("synack", TCP_DEFER_ACCEPT=100)[:2] == (0, 127)
    assert [deferred_timeouts(seconds) for seconds in (0, 1, 2, 3, 4, 8)] == [0, 1, 2, 2, 3, 4]


@pytest.mark.parametrize("hz", [100, 250, 1000])
def test_data_is_given_up_after_a_quarter_of_an_hour(hz: int) -> None:
    data = predict("data", Situation(Kernel((6, 18), hz)))
    first = Kernel(hz=hz).ticks(0.2001) / hz
    assert data.moments[:4] == pytest.approx((first, 2 * first, 4 * first, 8 * first))
    assert data.gives_up == pytest.approx(1024 * first + 720)


def test_without_a_loss_probe_there_is_one_repetition_less() -> None:
    probing, silent = schedule("data"), schedule("data", tcp_early_retrans=0)
    assert len(probing) == len(silent) + 1
    assert silent[1] == probing[1]


def test_a_long_path_has_a_longer_rto() -> None:
    far = predict("data", Situation(round_trip=0.15))
    assert far.moments[0] == pytest.approx(0.452)


def test_an_orphan_gets_eight_doublings() -> None:
    assert schedule("fin")[-1] == pytest.approx(104.448)
    assert predict("fin", Situation(orphan=True)).errno == ""
    assert predict("fin", Situation()).errno == "ETIMEDOUT"


def test_an_orphan_whose_rto_is_the_longest_has_no_retries_left() -> None:
    assert schedule("fin", tcp_rto_max_ms=1000)[-1] == pytest.approx(2.632)


def test_a_lingering_close_keeps_the_socket_from_being_an_orphan() -> None:
    assert schedule("fin", tcp_orphan_retries=1)[-1] == pytest.approx(1.632)
    assert schedule("fin", tcp_orphan_retries=1, SO_LINGER=10)[-1] == pytest.approx(13.056)
    assert schedule("fin", SO_LINGER=0) == (0, 0)


def test_probes_are_counted() -> None:
    assert len(schedule("probe")) == 17
    assert schedule("probe", tcp_retries2=2) == pytest.approx((0, 0.204, 0.612, 1.428))
    assert schedule("probe", TCP_USER_TIMEOUT=1000)[-1] == pytest.approx(1.204)


def test_keepalive() -> None:
    assert schedule("keepalive")[1:3] == (7200, 7275)
    assert schedule("keepalive")[-1] == 7875
    assert schedule("keepalive", TCP_KEEPIDLE=10, TCP_KEEPINTVL=5, TCP_KEEPCNT=2) == (0, 10, 15, 20)
    assert schedule("keepalive", TCP_KEEPIDLE=10, TCP_KEEPINTVL=5, TCP_USER_TIMEOUT=12000) == (
        0,
        10,
        15,
    )
    assert schedule("keepalive", tcp_keepalive_probes=0) == (0, 7200)


@pytest.mark.parametrize(
    ("timeout", "lasts"), [(0, 0.716), (5, 5), (60, 60), (61, 2), (70, 20), (120, 120), (180, 240)]
)
def test_fin_wait2_above_a_minute_waits_twice(timeout: int, lasts: float) -> None:
    assert schedule("fin-wait2", tcp_fin_timeout=timeout)[-1] == pytest.approx(lasts)


def test_fin_wait2_with_a_program_has_no_end() -> None:
    assert predict("fin-wait2", Situation()).gives_up is None
    assert schedule("fin-wait2", TCP_LINGER2=-1) == (0, 0)
    assert schedule("fin-wait2", TCP_LINGER2=300)[-1] == 120


def test_time_wait_is_compiled_in() -> None:
    assert schedule("time-wait", tcp_fin_timeout=5) == (0, 60)
    assert schedule("time-wait", tcp_max_tw_buckets=0) == (0, 0)


def test_a_send_timeout_is_the_programs() -> None:
    made = predict("syn", Situation(options={"SO_SNDTIMEO": 5}))
    assert (made.gives_up, made.errno) == (5, "EINPROGRESS")
    assert "131 s" in made.remarks[0]


def test_what_late_timers_change_is_said() -> None:
    assert predict("data", Situation(settings={"tcp_retries2": "3"})).sooner == pytest.approx(3.264)
    assert predict("data", Situation()).sooner is None


def test_what_has_nothing_to_do_with_it_is_said() -> None:
    assert predict("syn", Situation(options={"TCP_LINGER2": 1})).remarks == (
        "TCP_LINGER2 changes nothing here",
    )


@pytest.mark.parametrize(
    ("name", "value", "kernel", "problem"),
    [
        ("tcp_syn_retrys", "1", NEW, "Did you mean tcp_syn_retries"),
        ("tcp_syn_retries", "0", NEW, "out of range: the kernel takes 1 to 127"),
        ("tcp_syn_retries", "many", NEW, "'many' is not a whole number"),
        ("tcp_syn_linear_timeouts", "1", OLD, "it came with Linux 6.5"),
        ("tcp_fin_timeout", "9000000", NEW, "out of range"),
        ("tcp_rto_max_ms", "999", NEW, "1000 to 120000"),
    ],
)
def test_settings_are_refused(name: str, value: str, kernel: Kernel, problem: str) -> None:
    with pytest.raises(SettingError, match=problem):
        checked_setting(name, value, kernel)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("TCP_USER_TIMOUT", "1", "Did you mean TCP_USER_TIMEOUT"),
        ("TCP_SYNCNT", "128", "1 to 127"),
        ("TCP_RTO_MAX_MS", "2000", "it came with Linux 6.15"),
    ],
)
def test_options_are_refused(name: str, value: str, problem: str) -> None:
    with pytest.raises(SettingError, match=problem):
        checked_option(name, value, OLD)


def test_full_names_are_taken_too() -> None:
    assert checked_setting("net.ipv4.tcp_retries2", "8", NEW) == ("tcp_retries2", 8)
    assert checked_setting("net/ipv4/tcp_retries2", "8", NEW) == ("tcp_retries2", 8)


@pytest.mark.parametrize("text", ["6", "six", "", "5.4"])
def test_kernels_that_are_refused(text: str) -> None:
    with pytest.raises(UnknownKernel):
        Kernel.of(text)


def test_kernels_as_uname_names_them() -> None:
    assert Kernel.of("6.12.117-1-amd64").version == (6, 12)


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(UnknownKind, match="fin-wait2"):
        predict("fin_wait", Situation())


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_at_most_80_columns(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([kind, "--set", "tcp_retries2=3"]) == 0
    page = capsys.readouterr().out
    assert max(len(line) for line in page.splitlines()) <= 80
    assert page.startswith(f"{kind}: ")


def test_the_command_for_programs() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "sockstates", "predict", "syn", "--kernel", "6.1", "--json"],
        capture_output=True,
        check=True,
        text=True,
    )
    said = json.loads(run.stdout)
    assert said["moments"] == [1, 3, 7, 15, 31, 63]
    assert (said["gives_up"], said["errno"]) == (127, "ETIMEDOUT")


def test_a_setting_that_changes_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["data", "--set", "tcp_retries1=5"]) == 0
    assert "Note: tcp_retries1 changes nothing here." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("sin", "none of syn"),
        ("syn --set tcp_syn_retries", "write it like --set tcp_retries2=8"),
        ("syn --option TCP_SYNCNT=", "write it like --option TCP_USER_TIMEOUT=30000"),
        ("syn --kernel 2.6", "older than all that was measured"),
        ("syn --kernel 99.1", "newer than all that was measured"),
        ("syn --hz 0", "24 to 1200"),
        ("syn --round-trip -1", "0 to 60 seconds"),
    ],
)
def test_the_command_refuses_in_a_message(
    line: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(line.split()) == command.WRONG_USAGE
    assert problem in capsys.readouterr().err
