import contextlib

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates.tcp import CLOSED, ESTABLISHED, FIN_WAIT1, LISTEN, SYN_RECV, TIME_WAIT
from sockstates.tcp.states import State, UnknownState


def test_every_state_that_psutil_reports_is_known() -> None:
    reported = {value for name, value in vars(psutil).items() if name.startswith("CONN_")}
    assert {State.of(each) for each in reported - {psutil.CONN_NONE}} == set(State)


def test_states_are_spelled_as_psutil_spells_them() -> None:
    assert psutil.CONN_SYN_RECV == SYN_RECV
    assert psutil.CONN_FIN_WAIT1 == FIN_WAIT1
    assert f"{TIME_WAIT}" == psutil.CONN_TIME_WAIT


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("SYN-RECEIVED", SYN_RECV),
        ("SYN-RECV", SYN_RECV),
        ("syn_rcvd", SYN_RECV),
        ("TCP_NEW_SYN_RECV", SYN_RECV),
        ("FIN-WAIT-1", FIN_WAIT1),
        ("Fin Wait 1", FIN_WAIT1),
        ("FIN_WAIT_1", FIN_WAIT1),
        ("ESTAB", ESTABLISHED),
        ("TCP_ESTABLISHED", ESTABLISHED),
        ("TIME-WAIT", TIME_WAIT),
        ("CLOSE", CLOSED),
        ("UNCONN", CLOSED),
        ("LISTENING", LISTEN),
    ],
)
def test_other_spellings_are_understood(text: str, state: State) -> None:
    assert State.of(text) is state


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_description_and_the_rfcs_spelling(state: State) -> None:
    assert state.description.endswith(".")
    assert State.of(state.rfc) is state
    assert State.of(state.lower()) is state


def test_an_unknown_state_is_named_with_the_nearest_and_all_others() -> None:
    with pytest.raises(UnknownState) as raised:
        State.of("SYN_RECIEVED")
    assert "'SYN_RECIEVED'" in str(raised.value)
    assert "Did you mean SYN_RECV?" in str(raised.value)
    assert all(state in str(raised.value) for state in State)


@given(st.text())
def test_any_text_is_a_state_or_unknown(text: str) -> None:
    with contextlib.suppress(UnknownState):
        assert State.of(text) in State
