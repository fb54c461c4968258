"""How long the kernel's timers let a connection be, worked out from its settings."""

import pytest

from sockstates import CLOSE_WAIT, CLOSING, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, LAST_ACK, TIME_WAIT
from sockstates.sandbox.network.settings import PINNED
from sockstates.tcp.limits import (
    DEFAULTS,
    LONGEST_BY,
    conntrack_limit,
    keepalive_limit,
    longest_in,
    longest_unacknowledged,
    retransmission_limit,
    shortest_in,
)
from sockstates.tcp.states import State

USUAL = {name: str(value) for name, value in PINNED.items()}


def settings(**values: int) -> dict[str, str]:
    return USUAL | {f"net.ipv4.{name}": str(value) for name, value in values.items()}


def test_data_is_given_up_at_the_first_timer_after_the_hypothetical_limit() -> None:
    """Documentation/networking/ip-sysctl.rst: 15 retries are 924.6 s, a lower bound."""
    assert retransmission_limit(USUAL, orphan=False) == pytest.approx(924.6)
    assert longest_unacknowledged(USUAL, orphan=False) == pytest.approx(924.6 + 120 + 0.4)


def test_the_fin_of_an_orphan_is_given_up_sooner() -> None:
    assert retransmission_limit(USUAL, orphan=True) == pytest.approx(102.2)
    assert longest_unacknowledged(USUAL, orphan=True) == pytest.approx(2 * 102.2 + 0.8)
    assert retransmission_limit(settings(tcp_orphan_retries=1), orphan=True) == pytest.approx(0.6)


def test_each_real_schedule_lies_between_the_bounds() -> None:
    """A loss probe, then repetitions that double; an RTO is the shortest one or a tick more."""
    for retries in range(1, 16):
        for rto in (0.2, 0.201, 0.204, 0.21):
            wished = settings(tcp_retries2=retries)
            least = retransmission_limit(wished, orphan=False)
            elapsed, gap = 0.0, 2 * rto
            while elapsed < least:
                elapsed += gap
                gap = min(2 * gap, 120.0)
            most = longest_unacknowledged(wished, orphan=False)
            assert least <= 2 * rto + elapsed <= most * 1.05


def test_a_shorter_longest_timeout_shortens_both_bounds() -> None:
    wished = settings(tcp_rto_max_ms=1000)
    assert retransmission_limit(wished, orphan=True) == pytest.approx(0.2 + 0.4 + 0.8 + 6)
    assert longest_unacknowledged(wished, orphan=True) == pytest.approx(7.4 + 1 + 0.4)


def test_keepalive_and_connection_tracking() -> None:
    assert keepalive_limit({}) == 7200 + 9 * 75
    assert conntrack_limit({}, "ESTABLISHED") == 5 * 24 * 3600
    name = "net.netfilter.nf_conntrack_tcp_timeout_close_wait"
    assert conntrack_limit({name: "7"}, "CLOSE_WAIT") == 7
    with pytest.raises(KeyError):
        conntrack_limit({}, "LISTEN")


@pytest.mark.parametrize(
    ("wanted", "length"), [(0, 0.716), (1, 1), (2, 2), (60, 60), (61, 2), (90, 60), (300, 480)]
)
def test_an_orphan_waits_twice_for_what_is_more_than_a_minute(wanted: int, length: float) -> None:
    """scenarios/closing/test_fin_timeout.py shows it: 61 seconds are two."""
    wished = settings(tcp_fin_timeout=wanted)
    assert longest_in(FIN_WAIT2, wished, orphan=True) == pytest.approx(length)
    assert shortest_in(FIN_WAIT2, wished, orphan=True) == pytest.approx(length)


@pytest.mark.parametrize(
    ("state", "orphan", "least", "most"),
    [
        (FIN_WAIT1, True, 102.2, 205.2),
        (LAST_ACK, True, 102.2, 205.2),
        (CLOSING, False, 924.6, 1045.0),
        (FIN_WAIT2, True, 60, 60),
        (TIME_WAIT, True, 60, 60),
        (State.SYN_SENT, False, 131, 131),
        (State.SYN_RECV, True, 63, 63),
    ],
)
def test_how_long_a_state_lasts(state: State, orphan: bool, least: float, most: float) -> None:
    assert shortest_in(state, USUAL, orphan=orphan) == pytest.approx(least)
    assert longest_in(state, USUAL, orphan=orphan) == pytest.approx(most)


@pytest.mark.parametrize("state", [ESTABLISHED, CLOSE_WAIT, FIN_WAIT2])
def test_what_a_program_holds_open_lasts_for_ever(state: State) -> None:
    assert shortest_in(state, USUAL, orphan=False) is None
    assert longest_in(state, USUAL, orphan=False) is None


def test_every_setting_that_shortens_has_a_default_and_a_wait() -> None:
    assert set(LONGEST_BY) <= set(DEFAULTS)
    assert all(longest(USUAL) > 0 for longest in LONGEST_BY.values())


def test_a_lab_has_the_defaults_that_are_known() -> None:
    differs = {"net.ipv4.tcp_syn_linear_timeouts"}  # older kernels have none
    both = (PINNED.keys() & DEFAULTS.keys()) - differs
    assert {name: PINNED[name] for name in both} == {name: DEFAULTS[name] for name in both}
