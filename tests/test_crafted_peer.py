"""Crafted ends in a lab: what leaves the host, what its kernel does not, what the evidence says."""

from pathlib import Path

import pytest

from sockstates import ESTABLISHED, SYN_RECV, Host, Lab, LabError, Wire
from sockstates.evidence.doubts import contradictions
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.record.events import CounterRead, RuleChanged, SegmentCrafted
from sockstates.report.ladder import ladder
from sockstates.report.words import event_text
from sockstates.sandbox.agent.kernel_counters import in_pairs, read_counters

SYN = "Flags [S], seq 1000"


def test_what_is_sent_is_in_the_evidence(lab: Lab, client: Host, server: Host) -> None:
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    crafted.sends(SYN, checksum=1)
    crafted.sends(SYN)
    syn, again, _ = lab.sees(f"""
        client.40000 > server.80: {SYN}, win 64240
        client.40000 > server.80: {SYN}, win 64240
        server.80 > client.40000: Flags [S.], seq K, ack 1001
    """)
    events = [event for event in lab.timeline.events if isinstance(event, SegmentCrafted)]
    assert [event.source for event in events] == [crafted.local] * 2
    assert events[0].time <= syn.time <= events[1].time <= again.time
    text = event_text(lab.timeline, events[0], {})
    assert text.startswith("crafted: client.40000 > server.80: Flags [S], cksum 0x0001 (incorrect")
    drawn = [line for line in ladder(lab.timeline, width=120).splitlines() if "crafted" in line]
    assert ["crafted, bad checksum" in line for line in drawn] == [True, False]


def test_the_kernel_of_its_host_keeps_quiet(lab: Lab, client: Host, server: Host) -> None:
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    crafted.sends(SYN)
    crafted.peer.reaches(SYN_RECV)
    rule = crafted.rule
    assert rule is not None
    # What the kernel answers to the SYN,ACK, it answers as it takes it in: the rule was before it.
    assert lab.wait_until(lambda: rule.packets > 0, "the rule to meet the SYN,ACK", None)
    lab.sees(f"client.40000 > server.80: {SYN} \n server.80 > client.40000: Flags [S.]")
    lab.never_sees("client > server: Flags [R]")
    assert any(isinstance(each, RuleChanged) for each in lab.timeline.events)


def test_without_the_rule_the_kernel_answers(lab: Lab, client: Host, server: Host) -> None:
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    assert crafted.rule is not None
    crafted.rule.delete()
    crafted.sends(SYN)
    lab.sees("server > client: Flags [S.], seq K, ack 1001 \n client > server: Flags [R], seq 1001")


def test_what_is_sent_in_a_sockets_name_says_nothing_of_that_socket(
    lab: Lab, client: Host, server: Host
) -> None:
    """A FIN proves that its sender is not ESTABLISHED any more; but no socket sent this one."""
    listener = server.listen(port=80)
    connection = client.connect(listener, source_port=40000)
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    lab.sees("client > server: Flags [S], seq J \n ... \n client > server: Flags [.], ack K+1")
    server.iptables("-A INPUT -s client -j DROP")
    crafted = client.crafts(port=40000, to=listener)
    crafted.sends("Flags [F.], seq J+1, ack K+1")
    connection.client.stays(ESTABLISHED, seconds=0.5)
    assert not contradictions(lab.timeline, lab.now())
    crafted_events = [each for each in lab.timeline.events if isinstance(each, SegmentCrafted)]
    for event in crafted_events:
        lab.timeline.events.remove(event)
    assert contradictions(lab.timeline, lab.now())
    for event in crafted_events:
        lab.timeline.add(event)


def test_layers_of_scapy_are_sent_too(lab: Lab, client: Host, server: Host) -> None:
    from scapy.layers.inet import TCP

    crafted = client.crafts(port=40000, to=server, to_port=80)
    crafted.sends(TCP(flags="S", seq=77, window=5), payload=b"data")
    lab.sees("client.40000 > server.80: Flags [S], seq 77:81, win 5, length 4")


@pytest.mark.topology(router=True)
def test_it_reaches_what_lies_behind_a_router(lab: Lab, client: Host, server: Host) -> None:
    client.crafts(port=40000, to=server.listen(port=80)).sends(SYN)
    lab.sees(f"client > server: {SYN} \n server > client: Flags [S.], seq K, ack 1001")


def test_it_passes_a_wire(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    wire.rewrite("client > server: Flags [S]", mss=500)
    damaged = server.counter("TcpInCsumErrors")
    client.crafts(port=40000, to=server.listen(port=80)).sends(f"{SYN}, options [mss 1460]")
    lab.sees(f"client > server: {SYN} \n server > client: Flags [S.], seq K, ack 1001")
    assert damaged.grown == 0


@pytest.mark.topology(hosts=("client", "server", "other"))
def test_only_its_own_peer_is_ignored(lab: Lab, client: Host, server: Host) -> None:
    server.crafts(port=80, to=client)
    lab["other"].connect(server, port=80).client.connecting.fails(111)


def test_a_listening_end_answers_who_came_last(lab: Lab, client: Host, server: Host) -> None:
    crafted = server.crafts(port=80, to=client)
    with pytest.raises(LabError, match=r"to which port of client.*\n  lab.sees"):
        crafted.sends("Flags [R], seq 1")
    connection = client.connect(server, port=80)
    lab.sees("client > server: Flags [S], seq J")
    assert crafted.remote == connection.client.local
    with pytest.raises(LabError, match="given no listener"):
        _ = crafted.peer
    crafted.sends("Flags [R.], seq 0, ack J+1")
    connection.client.connecting.fails(111)


def test_what_cannot_be_sent_names_the_end(client: Host, server: Host) -> None:
    crafted = client.crafts(port=40000, to=server, to_port=80)
    with pytest.raises(LabError, match=r"<crafted client.40000> cannot send that: seq is missing"):
        crafted.sends("Flags [S]")
    with pytest.raises(LabError, match="to itself"):
        client.crafts(port=40000, to=client, to_port=80)


def test_a_counter_grows_by_what_happened(lab: Lab, client: Host, server: Host) -> None:
    counter = server.counter("TcpInErrs")
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    crafted.sends(SYN, checksum=1)
    assert counter.grows() == 1
    crafted.sends(SYN, checksum=1)
    assert counter.grows(by=2) == 2
    assert str(counter) == "TcpInErrs on server: 0 before, 2 after"
    read = [event for event in lab.timeline.events if isinstance(event, CounterRead)]
    assert event_text(lab.timeline, read[-1], {}) == "counter TcpInErrs is 2"


def test_a_counter_that_does_not_grow_as_expected(lab: Lab, client: Host, server: Host) -> None:
    counter = server.counter("TcpInErrs")
    with pytest.raises(ExpectationFailed, match=r"expected  any growth from 0\n  seen      0"):
        counter.grows(seconds=0.2)
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    crafted.sends(SYN, checksum=1)
    crafted.sends(SYN, checksum=1)
    lab.settle()
    counter.grows(by=2)
    with pytest.raises(ExpectationFailed, match=r"growth by 1 from 0\n  seen      2, growth by 2"):
        counter.grows(by=1)


def test_a_counter_that_there_is_not(client: Host) -> None:
    with pytest.raises(LabError, match=r"no counter 'TcpInError'. Did you mean TcpInErrs.*nstat"):
        client.counter("TcpInError")


def test_counters_are_named_as_nstat_names_them() -> None:
    text = "Tcp: InErrs InCsumErrors\nTcp: 3 -1\nTcpExt: TCPOFOQueue\nTcpExt: 7\n"
    assert in_pairs(text) == {"TcpInErrs": 3, "TcpInCsumErrors": -1, "TcpExtTCPOFOQueue": 7}
    known = read_counters()
    assert {"TcpInErrs", "IpInReceives", "TcpExtTCPOFOQueue", "IpExtInOctets"} <= set(known)
    assert ("Ip6InReceives" in known) == Path("/proc/net/snmp6").exists()
