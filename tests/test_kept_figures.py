"""`lab.figure`: what each word of expectation returns can be kept as the proof of a claim."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, LISTEN, Host, Lab, LabError
from sockstates.record.events import Figure
from sockstates.report.text import text_timeline

pytestmark = pytest.mark.families("ipv4")


def figures(lab: Lab) -> list[str]:
    return [event.text for event in lab.timeline.events if isinstance(event, Figure)]


def test_what_words_return_can_be_kept(lab: Lab, client: Host, server: Host) -> None:
    listener = server.listen(port=5000, backlog=3)
    lab.figure(listener.reaches(LISTEN, owner=server))
    connection = client.connect(listener)
    lab.figure(connection.reaches(client=ESTABLISHED, server=ESTABLISHED))
    lab.figure(lab.sees_only("client > server: Flags [S]\n...\nclient > server: Flags [.]"))
    lab.figure(connection.client.stays(ESTABLISHED, seconds=0.2))
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection.server.close()
    lab.figure(connection.server.reaches(FIN_WAIT1, send_queue=1, owner=None))
    rule.delete()
    connection.server.reaches(FIN_WAIT2)
    passed = connection.server.passes_through([ESTABLISHED, ..., FIN_WAIT2], unseen_allowed=True)
    lab.figure(passed)
    port = connection.client.local.port
    kept = figures(lab)
    assert kept[0] == "server.5000 LISTEN, 0 to accept, backlog 3, owner process 1"
    assert kept[1] == (
        f"client.{port} ESTABLISHED, owner process 1\nserver.5000 ESTABLISHED, owner nobody"
    )
    segments = kept[2].splitlines()
    assert len(segments) == 3
    assert f" client.{port} > server.5000: Flags [S], seq " in segments[0]
    assert ": Flags [.], ack 1, win " in segments[2]
    assert kept[3] == f"client.{port} ESTABLISHED, owner process 1"
    assert kept[4].startswith("server.5000 FIN_WAIT1, 1 to send, ")
    assert kept[4].endswith("owner nobody")
    assert kept[5].endswith("ESTABLISHED -> FIN_WAIT1 -> FIN_WAIT2")
    assert "figure: server.5000 LISTEN, 0 to accept" in text_timeline(lab.timeline)


def test_what_was_never_seen_is_closed(lab: Lab, client: Host, server: Host) -> None:
    end = client.connect(server, port=9).client
    end.connecting.fails(errno.ECONNREFUSED)
    lab.figure(end.reaches(CLOSED))
    assert figures(lab) == [f"client.{end.local.port} CLOSED"]


def test_a_figure_that_shows_nothing_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"^lab\.figure: an empty figure proves nothing: give it a"):
        lab.figure("")
    assert not figures(lab)
