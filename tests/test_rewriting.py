"""One connection under two names, on hand-made timelines: what is the same, and what is lost."""

from dataclasses import replace
from typing import Literal

import pytest

from sockstates.evidence.agreement import contradictions_about_packets
from sockstates.evidence.decisions import decided_segments
from sockstates.evidence.sendings import ends
from sockstates.record.events import RuleChanged, SocketSeen
from sockstates.record.frames import CapturedFrame
from sockstates.record.kernel_events import FilterDecided, FlowChanged
from sockstates.record.timeline import Timeline
from sockstates.report.delivery import dropping_rules, lost_segments
from sockstates.report.html.columns import Columns
from sockstates.report.html.page import scenario_page
from sockstates.report.html.scene import scene
from sockstates.report.rewriting_words import MOST
from sockstates.report.states import states_table
from sockstates.report.story import Story
from sockstates.report.text import ladder, text_timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State
from tests.recorded import End, Written, at, empty_timeline, frame_octets
from tests.report_samples import result_of

CLIENT, ASKED, SERVER = ("10.0.0.1", 40000), ("10.0.0.9", 80), ("10.0.0.2", 8080)
DATA, ANSWER = Written("P.", 1000, 7, b"abc"), Written(".", 7, 1003)
DROP = "-A FORWARD -j DROP"
TO_SERVER = "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination server:8080"
Captured = tuple[str, Literal["in", "out"], End, End]
"""Host, direction, and the addresses there."""

OUT: tuple[Captured, ...] = (
    ("client", "out", CLIENT, ASKED),
    ("router", "in", CLIENT, ASKED),
    ("router", "out", CLIENT, SERVER),
    ("server", "in", CLIENT, SERVER),
)
BACK: tuple[Captured, ...] = (
    ("server", "out", SERVER, CLIENT),
    ("router", "in", SERVER, CLIENT),
    ("router", "out", ASKED, CLIENT),
    ("client", "in", ASKED, CLIENT),
)


def passes(timeline: Timeline, seconds: float, way: tuple[Captured, ...], written: Written) -> None:
    """A segment, as each of these hosts captured it, a microsecond after the one before."""
    for number, (host, direction, source, target) in enumerate(way):
        octets = frame_octets(source, target, written)
        moment = at(seconds) + 1000 * number
        frame = CapturedFrame(moment, f"{host}:eth0", direction, octets, len(octets))
        timeline.add_frames(host, [frame])


def flow(
    seconds: float, *, client: End = CLIENT, server: End = SERVER, host: str = "router"
) -> FlowChanged:
    began = Address(*client), Address(*ASKED)
    told = FlowChanged(at(seconds), host, *began, "new", "ESTABLISHED")
    return replace(told, replier=Address(*server), replies_to=Address(*client))


def made(*, told: bool = True) -> Timeline:
    timeline = empty_timeline("router")
    timeline.names.addresses["router"] = ("10.0.0.9", "fd00::9")
    passes(timeline, 0.1, OUT, DATA)
    passes(timeline, 0.2, BACK, ANSWER)
    if told:
        timeline.add(flow(0.05))
    return timeline


def ways(timeline: Timeline) -> list[tuple[str, str]]:
    names = timeline.names
    return [(names.endpoint(s.source), names.endpoint(s.destination)) for s in timeline.wire]


def test_each_end_is_called_as_its_own_host_calls_it() -> None:
    timeline = made()
    assert ways(timeline) == [("client.40000", "server.8080"), ("server.8080", "client.40000")]
    assert [s.destination for s in timeline.arrived["client"]] == [
        Address(*ASKED),
        Address(*CLIENT),
    ]
    assert [s.source for s in timeline.arrived["server"]] == [Address(*CLIENT), Address(*SERVER)]


def test_what_was_rewritten_has_arrived() -> None:
    assert not lost_segments(made())


def test_without_connection_tracking_s_word_it_looks_lost() -> None:
    timeline = made(told=False)
    assert len(lost_segments(timeline)) == 1
    assert ways(timeline)[0] == ("client.40000", "router.80")


def test_names_follow_when_the_word_comes_late() -> None:
    timeline = made(told=False)
    known = timeline.known_of_wire
    assert lost_segments(timeline)
    timeline.add(flow(0.05))
    assert not lost_segments(timeline)
    assert timeline.known_of_wire != known
    assert timeline.known_of_wire[0] == known[0]
    assert ways(timeline)[0] == ("client.40000", "server.8080")


@pytest.mark.parametrize(("kept", "where"), [(1, "router"), (2, "router"), (3, "")])
def test_what_the_server_did_not_capture_is_lost(kept: int, where: str) -> None:
    timeline = made()
    passes(timeline, 0.3, OUT[:kept], DATA._replace(sequence=1003))
    (lost,) = lost_segments(timeline).items()
    assert lost[0].sequence == 1003
    assert lost[1] == (where if kept == 2 else "")


def test_an_answer_that_does_not_come_back_is_lost() -> None:
    timeline = made()
    passes(timeline, 0.3, BACK[:2], ANSWER._replace(sequence=9))
    (lost,) = lost_segments(timeline).items()
    assert (lost[0].sequence, lost[1]) == (9, "router")


def test_another_connection_keeps_its_names() -> None:
    timeline = made()
    other = ("10.0.0.1", 40001)
    passes(timeline, 0.3, (("client", "out", other, ASKED),), DATA)
    assert ways(timeline)[-1] == ("client.40001", "router.80")


def test_a_flow_that_is_not_rewritten_says_nothing() -> None:
    timeline = made(told=False)
    timeline.add(flow(0.05, server=ASKED))
    timeline.add(replace(flow(0.06), replier=None, replies_to=None))
    assert not timeline.rewritings.all


def test_a_connection_is_told_of_once() -> None:
    timeline = made()
    for seconds in (0.11, 0.12):
        timeline.add(replace(flow(seconds), change="updated"))
    assert len(timeline.rewritings.all) == 1


def test_the_same_addresses_later_lead_to_another_backend() -> None:
    timeline = made()
    second = ("10.0.0.2", 8081)
    timeline.add(flow(0.5, server=second))
    passes(timeline, 0.6, (*OUT[:2], *((h, d, CLIENT, second) for h, d, *_ in OUT[2:])), DATA)
    passes(timeline, 0.7, (*((h, d, second, CLIENT) for h, d, *_ in BACK[:2]), *BACK[2:]), ANSWER)
    assert not lost_segments(timeline)
    assert ways(timeline)[::2] == [
        ("client.40000", "server.8080"),
        ("client.40000", "server.8081"),
    ]


def test_a_host_s_own_names_are_its_sockets() -> None:
    """Rewritten in the server itself: its capture has the port that no socket of it has."""
    timeline = empty_timeline()
    timeline.names.addresses["server"] += (ASKED[0],)
    passes(timeline, 0.1, (OUT[0], ("server", "in", CLIENT, ASKED)), DATA)
    passes(timeline, 0.2, (("server", "out", ASKED, CLIENT), BACK[3]), ANSWER)
    timeline.add(flow(0.05, host="server"))
    assert [s.source for s in timeline.arrived["server"]] == [Address(*CLIENT), Address(*SERVER)]
    assert [s.source for s in timeline.arrived["client"]] == [Address(*CLIENT), Address(*ASKED)]
    assert ways(timeline) == [("client.40000", "server.8080"), ("server.8080", "client.40000")]
    assert not lost_segments(timeline)


def test_ends_have_the_keys_of_their_sockets() -> None:
    found = ends(made())
    assert found["client.* (to server.8080)"] == ("client", Address(*CLIENT), Address(*ASKED))
    assert found["server.8080 (to client.*)"] == ("server", Address(*SERVER), Address(*CLIENT))


def test_both_ends_stand_beside_each_other() -> None:
    timeline = made()
    for host, local, remote in (("client", CLIENT, ASKED), ("server", SERVER, CLIENT)):
        near, far = Address(*local), Address(*remote)
        timeline.add(SocketSeen(at(0.3), host, near, far, State.ESTABLISHED))
    first = states_table(timeline).splitlines()[0]
    assert first.split() == ["client.40000", "ESTABLISHED", "server.8080", "ESTABLISHED"]


def test_reports_say_who_rewrote() -> None:
    timeline = made()
    line = "router rewrote client.40000 > router.80 to client.40000 > server.8080, and the answers"
    assert line in ladder(timeline, width=120)
    assert "x:" not in ladder(timeline, width=120)
    assert "rewritten to client.40000 > server.8080" in text_timeline(timeline)
    assert "rewrote" not in ladder(made(told=False))


def test_reports_say_it_of_a_few_connections_only() -> None:
    timeline = empty_timeline("router")
    for port in range(40000, 40000 + MOST + 3):
        client = ("10.0.0.1", port)
        timeline.add(flow(0.05, client=client))
        passes(timeline, 0.1, (("client", "out", client, ASKED),), DATA)
    drawn = ladder(timeline, width=120)
    assert drawn.count("rewrote") == MOST
    assert "and 3 more connections" in drawn


def decided(seconds: float, source: End, target: End, written: Written) -> FilterDecided:
    flags, sequence, acknowledgement, payload = written
    return FilterDecided(
        at(seconds),
        "router",
        DROP,
        "drop",
        Address(*source),
        Address(*target),
        flags,
        sequence,
        acknowledgement,
        len(payload),
        "FORWARD",
    )


def test_a_rule_behind_the_rewriting_dropped_that_segment() -> None:
    timeline = made()
    more = DATA._replace(sequence=1003)
    passes(timeline, 0.3, OUT[:2], more)
    timeline.add(decided(0.301, CLIENT, SERVER, more))
    assert [each.sequence for each in decided_segments(timeline)] == [1003]
    assert list(lost_segments(timeline).values()) == ["router"]
    assert list(dropping_rules(timeline).values()) == [DROP]
    assert not contradictions_about_packets(timeline, at(9))


def test_what_is_dropped_before_anybody_tells_of_it_is_known_by_the_rest() -> None:
    timeline = made(told=False)
    more = DATA._replace(sequence=1003)
    passes(timeline, 0.3, OUT[:2], more)
    timeline.add(decided(0.301, CLIENT, SERVER, more))
    assert not decided_segments(timeline)
    assert len(contradictions_about_packets(timeline, at(9))) == 1
    timeline.add(RuleChanged(at(0.01), "router", TO_SERVER, "applied"))
    assert [each.sequence for each in decided_segments(timeline)] == [1003]
    assert not contradictions_about_packets(timeline, at(9))
    timeline.add(decided(0.302, CLIENT, SERVER, DATA._replace(sequence=2000)))
    assert len(contradictions_about_packets(timeline, at(9))) == 1


def test_a_state_of_connection_tracking_needs_the_segments_under_either_name() -> None:
    """The answer came to the router, which dropped it: so it has only the server's names there."""
    timeline = empty_timeline("router")
    passes(timeline, 0.1, OUT, Written("S", 1))
    passes(timeline, 0.2, BACK[:2], Written("S.", 5, 2))
    told = replace(flow(0.3), change="updated", state="SYN_RECV")
    timeline.add(told)
    assert not contradictions_about_packets(timeline, at(9))
    without = empty_timeline("router")
    passes(without, 0.1, OUT, Written("S", 1))
    without.add(told)
    assert len(contradictions_about_packets(without, at(9))) == 1


def test_the_page_draws_one_connection_and_says_who_rewrote() -> None:
    timeline = made()
    for host, local, remote in (("client", CLIENT, ASKED), ("server", SERVER, CLIENT)):
        near, far = Address(*local), Address(*remote)
        timeline.add(SocketSeen(at(0.05), host, near, far, State.ESTABLISHED))
    shown = scene(Story(timeline))
    assert not Columns(shown).letters
    assert not any(each.loss for each in shown.every)
    assert len(shown.arrivals) == 2
    page = scenario_page(timeline, result_of(timeline), {}, [])
    assert "router rewrote client.40000" in page
