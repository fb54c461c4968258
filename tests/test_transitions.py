"""The transition table: RFC 9293's Figure 5 whole, and a table that can be followed."""

import pytest

from sockstates.tcp.states import State
from sockstates.tcp.transitions import ARCS, BY_NAME, FIGURE, Event, arc_for

# The arrows of RFC 9293's Figure 5, by its own spellings, with what is written beside them.
FIGURE_5 = """
CLOSED LISTEN passive OPEN
CLOSED SYN-SENT active OPEN
LISTEN SYN-RECEIVED rcv SYN
LISTEN SYN-SENT SEND
LISTEN CLOSED CLOSE
SYN-SENT CLOSED CLOSE
SYN-SENT SYN-RECEIVED rcv SYN
SYN-SENT ESTABLISHED rcv SYN,ACK
SYN-RECEIVED ESTABLISHED rcv ACK
SYN-RECEIVED FIN-WAIT-1 CLOSE
ESTABLISHED FIN-WAIT-1 CLOSE
ESTABLISHED CLOSE-WAIT rcv FIN
FIN-WAIT-1 FIN-WAIT-2 rcv ACK
FIN-WAIT-1 CLOSING rcv FIN
FIN-WAIT-1 TIME-WAIT rcv FIN,ACK of FIN
FIN-WAIT-2 TIME-WAIT rcv FIN
CLOSING TIME-WAIT rcv ACK
CLOSE-WAIT LAST-ACK CLOSE
LAST-ACK CLOSED rcv ACK
TIME-WAIT CLOSED timeout
"""


def test_figure_5_is_whole_and_nothing_else_claims_to_be_of_it() -> None:
    written = {
        f"{arc.before.rfc} {arc.after.rfc} {arc.event}" for arc in ARCS if arc.source == FIGURE
    }
    assert written == set(FIGURE_5.strip().splitlines())


def test_every_name_is_unique() -> None:
    assert len(BY_NAME) == len(ARCS)


def test_every_state_can_be_aborted_reset_and_can_time_out_as_the_text_has_it() -> None:
    live = set(State) - {State.CLOSED}
    assert {arc.before for arc in ARCS if arc.event is Event.ABORT} == live
    assert {arc.before for arc in ARCS if arc.event is Event.RST} == live - {State.LISTEN}
    assert {arc.before for arc in ARCS if arc.event is Event.TIMEOUT} == live - {State.LISTEN}


def test_every_arc_says_where_it_stands_and_what_linux_does() -> None:
    for arc in ARCS:
        assert arc.source == FIGURE or arc.source[0] == "3"
        assert arc.linux
        assert arc.before is not arc.after


def test_a_state_and_an_event_lead_to_one_place() -> None:
    passive = {(arc.before, arc.event): arc for arc in ARCS if arc.exists}
    for before, event in passive:
        for opened in (True, False):
            arc = arc_for(before, event, passive=opened)
            assert arc is None or (arc.before, arc.event) == (before, event)


@pytest.mark.parametrize(
    ("event", "passive", "after"),
    [
        (Event.RST, True, State.LISTEN),
        (Event.RST, False, State.CLOSED),
        (Event.SYN, True, State.LISTEN),
        (Event.TIMEOUT, True, State.CLOSED),
        (Event.TIMEOUT, False, State.CLOSED),
        (Event.ACK, True, State.ESTABLISHED),
    ],
)
def test_how_it_was_opened_decides_where_syn_recv_leads(
    event: Event, passive: bool, after: State
) -> None:
    arc = arc_for(State.SYN_RECV, event, passive=passive)
    assert arc is not None
    assert arc.after is after


def test_an_active_open_does_not_return_to_listen() -> None:
    assert arc_for(State.SYN_RECV, Event.SYN, passive=False) is None


def test_what_linux_does_not_have_is_not_followed() -> None:
    assert arc_for(State.LISTEN, Event.SEND) is None
    assert arc_for(State.ESTABLISHED, Event.SYN) is None
