"""The witnesses that listen to netfilter, in a namespace alone: losses, kernels without them."""

import contextlib
import errno
import selectors
import socket

import pytest
from pyroute2 import IPRoute

from sockstates.record.events import Event
from sockstates.record.kernel_events import FilterDecided, FlowChanged, RecordsLost, WitnessJoined
from sockstates.sandbox.network import gate
from sockstates.sandbox.rules import RuleNotAppliedError, parse
from sockstates.sandbox.rules.table import Table
from sockstates.sandbox.witnesses.conntrack import GROUPS, ConntrackEvents
from sockstates.sandbox.witnesses.filter_trace import FilterTrace
from sockstates.sandbox.witnesses.netfilter_events import NetfilterEvents
from tests.own_namespace import in_own_namespace

CONNECTIONS = 60


class NothingBeside(Table):
    """A filter table of a kernel that lacks what a witness needs."""

    def put_beside(self, changes: list[object], what: str) -> list[list[object]]:
        assert changes
        raise RuleNotAppliedError.refused(what, errno.ENOENT)


def _loopback_up() -> None:
    with IPRoute() as route:
        route.link("set", index=socket.if_nametoindex("lo"), state="up")


def _connect_and_close() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()):
        listener.accept()[0].close()


def test_what_nobody_read_in_time_is_counted() -> None:
    """Two listeners to the same events, of which one has next to no room."""

    def overrun() -> tuple[list[Event], int, int, list[int]]:
        _loopback_up()
        events: list[Event] = []
        table = Table(gate.filter_socket)
        watch = ConntrackEvents("host", table, selectors.DefaultSelector(), events.append)
        assert not watch.begin()
        small = NetfilterEvents(*GROUPS)
        small.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 13)
        for _ in range(CONNECTIONS):
            _connect_and_close()
            watch.ready()
        watch.settle()
        read = len(list(small.read()))
        losses = [small.count_losses(), small.count_losses()]
        _connect_and_close()
        return events, read, len(list(small.read())), losses

    events, read, read_later, (lost, lost_again) = in_own_namespace(overrun)
    told = sum(isinstance(each, FlowChanged) for each in events)
    assert not any(isinstance(each, RecordsLost) for each in events)
    assert 0 < read < told
    assert read + lost == told
    assert lost_again == 0
    assert read_later >= 5


def test_the_losses_of_a_witness_are_evidence() -> None:
    def overrun() -> list[Event]:
        _loopback_up()
        events: list[Event] = []
        selector = selectors.DefaultSelector()
        watch = ConntrackEvents("host", Table(gate.filter_socket), selector, events.append)
        watch.begin()
        (key,) = selector.get_map().values()
        assert isinstance(key.fileobj, NetfilterEvents)
        key.fileobj.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 13)
        for _ in range(CONNECTIONS):
            _connect_and_close()
        watch.settle()
        watch.settle()
        return events

    (lost,) = [each for each in in_own_namespace(overrun) if isinstance(each, RecordsLost)]
    assert (lost.host, lost.witness) == ("host", "conntrack")
    assert lost.count > CONNECTIONS


def test_a_kernel_without_conntrack_is_told_with_what_to_do() -> None:
    events: list[Event] = []
    table = NothingBeside(gate.filter_socket)
    watch = ConntrackEvents("host", table, selectors.DefaultSelector(), events.append)
    missing = watch.begin()
    assert "ENOENT" in missing
    assert "modprobe -a nf_conntrack nf_conntrack_netlink nft_ct" in missing
    (joined,) = events
    assert isinstance(joined, WitnessJoined)
    assert (joined.witness, joined.host, joined.missing) == ("conntrack", "host", missing)
    watch.settle()


def test_a_trace_that_cannot_be_had_keeps_no_rule_from_being_put_in_force() -> None:
    def refused() -> list[Event]:
        events: list[Event] = []
        table = NothingBeside(gate.filter_socket)
        trace = FilterTrace("host", table, selectors.DefaultSelector(), events.append)
        for line in ("-A INPUT -p tcp -j DROP", "-P INPUT DROP"):
            trace.prepare(parse(line))
            table.apply(parse(line))
        trace.settle()
        assert table.listing(4) == [
            "-P INPUT DROP",
            "-P FORWARD ACCEPT",
            "-P OUTPUT ACCEPT",
            "-A INPUT -p tcp -j DROP",
        ]
        return events

    (joined,) = in_own_namespace(refused)
    assert isinstance(joined, WitnessJoined)
    assert joined.witness == "filter trace"
    assert "ENOENT" in joined.missing


def test_a_rule_of_somebody_else_has_no_line() -> None:
    """Put into our table by another program, behind the back of the filter table."""

    def decided() -> list[Event]:
        _loopback_up()
        events: list[Event] = []
        table = Table(gate.filter_socket)
        trace = FilterTrace("host", table, selectors.DefaultSelector(), events.append)
        for line in ("-A INPUT -p tcp --dport 1 -j DROP",):
            trace.prepare(parse(line))
            table.apply(parse(line))
        stranger = Table(gate.filter_socket)
        stranger.apply(parse("-A INPUT -p tcp --dport 2 -j DROP"))
        for port in (1, 2):
            with socket.socket() as client:
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.connect(("127.0.0.1", port))
                trace.settle()
        return events

    own, other = [each for each in in_own_namespace(decided) if isinstance(each, FilterDecided)]
    assert (own.destination.port, own.line) == (1, "-A INPUT -p tcp --dport 1 -j DROP")
    assert (other.destination.port, other.line) == (2, "")


def test_nothing_is_rewritten_that_nobody_would_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    with selectors.DefaultSelector() as selector:
        table = Table(gate.filter_socket)
        watch = ConntrackEvents("host", table, selector, events.append)
    monkeypatch.setattr(watch, "begin", lambda: "no conntrack here")
    with pytest.raises(RuleNotAppliedError, match=r"would look lost.*no conntrack here"):
        watch.prepare(parse("-t nat -A PREROUTING -j DNAT --to-destination server"))
    watch.prepare(parse("-t nat -A PREROUTING -j ACCEPT"))
    watch.prepare(parse("-t nat -F"))
    watch.prepare(parse("-A INPUT -j DROP"))
