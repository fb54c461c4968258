"""Each case of the table, and what the kernel does: repetitions, giving up, what the program gets.

Natively only what is over in a second or two; `pytest tests/test_predictions.py --lab-virtual` runs
the whole table, hours of it.
"""

import errno
import os
import socket
import struct

import pytest

from sockstates import (
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    SYN_RECV,
    TIME_WAIT,
    WRITE,
    Endpoint,
    Host,
    Lab,
)
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.predicted import kernel
from sockstates.system import VIRTUAL
from sockstates.tcp.kernel_settings import IPV4, OPTIONS
from tests.prediction_table import Case, cases

SHORT = 2.5
"""Seconds that a case may take natively."""
PORT, CLIENT_PORT = 80, 40000
KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The whole table where waiting takes no time; else what is over soon."""
    if "case" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("lab_virtual") is not None
    virtual = asked or os.environ.get(VIRTUAL)
    chosen = [case for case in cases() if virtual or is_short(case)]
    metafunc.parametrize("case", chosen, ids=[case.id for case in chosen])


def is_short(case: Case) -> bool:
    """Whether this case can be waited for, on this kernel, without netem."""
    if not case.is_for(kernel()) or case.round_trip:
        return False
    end = case.prediction(kernel()).gives_up
    return end is not None and end < SHORT


def test_there_are_three_hundred_that_every_kernel_has() -> None:
    from sockstates.tcp.kernel import OLDEST, Kernel

    assert len([case for case in cases() if case.is_for(Kernel(OLDEST))]) >= 300


@pytest.mark.families("ipv4")
def test_as_predicted(lab: Lab, client: Host, server: Host, case: Case) -> None:
    if not case.is_for(kernel()):
        pytest.skip(f"{kernel()} does not have all of it")
    subject = server if case.kind == "synack" else client
    for name, value in case.settings.items():
        subject.sysctl(IPV4 + name, value)
    if case.round_trip:
        lab.link(delay=case.round_trip / 2)
    SILENCES[case.kind](client, server, case)


def options_of(case: Case) -> list[tuple[int, int, int | bytes]]:
    """As setsockopt(2) takes them."""
    found: list[tuple[int, int, int | bytes]] = []
    for name, value in case.options.items():
        known = OPTIONS[name]
        packed = struct.pack("ii", 1, int(value)) if name == "SO_LINGER" else int(value)
        found.append((known.level, known.number, packed))
    return found


def established(client: Host, server: Host, case: Case, *more: tuple[int, int, int]) -> Endpoint:
    """The client's end of a connection; the server hears nothing more."""
    connection = client.connect(server.listen(port=PORT), options=[*options_of(case), *more])
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    server.iptables("-A INPUT -s client -j DROP")
    return connection.client


def syn(client: Host, server: Host, case: Case) -> None:
    server.iptables("-A INPUT -s client -j DROP")
    connection = client.connect(server.listen(port=PORT), options=options_of(case))
    connection.client.retransmits_as_predicted("syn")
    connection.client.connecting.fails(errno.ETIMEDOUT)


def synack(client: Host, server: Host, case: Case) -> None:
    listener = server.listen(port=PORT, options=options_of(case))
    crafted = client.crafts(port=CLIENT_PORT, to=listener)
    crafted.sends("Flags [S], seq 1000, win 64240, options [mss 1460]")
    client.lab.sees("server > client: Flags [S.], seq K, ack 1001")
    if case.options.get("TCP_DEFER_ACCEPT"):
        crafted.sends("Flags [.], seq 1001, ack K+1")
    crafted.peer.reaches(SYN_RECV)
    crafted.peer.retransmits_as_predicted("synack")


def data(client: Host, server: Host, case: Case) -> None:
    end = established(client, server, case)
    end.send(b"anybody there?")
    end.retransmits_as_predicted("data")
    end.receive().fails(errno.ETIMEDOUT)


def fin(client: Host, server: Host, case: Case) -> None:
    end = established(client, server, case)
    if case.orphan:
        end.close()
        end.reaches(FIN_WAIT1)
    else:
        end.shutdown(WRITE)
        end.reaches(FIN_WAIT1, owner=client)
    end.retransmits_as_predicted("fin")


def probe(client: Host, server: Host, case: Case) -> None:
    crafted = server.crafts(port=PORT, to=client)
    end = client.connect(server, port=PORT, options=options_of(case)).client
    client.lab.sees("client > server: Flags [S], seq J")
    crafted.sends("Flags [S.], seq 5000, ack J+1, win 0, options [mss 1460]")
    end.reaches(ESTABLISHED)
    end.send(b"more than fits")
    if case.orphan:
        end.close()
        end.reaches(FIN_WAIT1, owner=None)
    end.retransmits_as_predicted("probe")
    if not case.orphan:
        end.receive().fails(errno.ETIMEDOUT)


def keepalive(client: Host, server: Host, case: Case) -> None:
    end = established(client, server, case, KEEPALIVE)
    reading = end.receive()
    end.retransmits_as_predicted("keepalive")
    reading.fails(errno.ETIMEDOUT)


def fin_wait2(client: Host, server: Host, case: Case) -> None:
    connection = client.connect(server.listen(port=PORT), options=options_of(case))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.client.close()
    connection.client.reaches(FIN_WAIT2, owner=None)
    connection.client.retransmits_as_predicted("fin-wait2")


def time_wait(client: Host, server: Host, case: Case) -> None:
    del case
    connection = client.connect(server.listen(port=PORT))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.client.close()
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
    connection.client.retransmits_as_predicted("time-wait")


SILENCES = {
    "syn": syn,
    "synack": synack,
    "data": data,
    "fin": fin,
    "probe": probe,
    "keepalive": keepalive,
    "fin-wait2": fin_wait2,
    "time-wait": time_wait,
}


@pytest.mark.families("ipv4")
def test_a_wrong_prediction_is_found_out(client: Host, server: Host) -> None:
    """The kernel has another setting than the lab was told of."""
    end = established(client, server, Case("data"))
    client.lab.settings["client"][IPV4 + "tcp_early_retrans"] = "0"
    end.send(b"anybody there?")
    with pytest.raises(ExpectationFailed, match="did not do with its data what was predicted"):
        end.retransmits_as_predicted("data", times=2)
    assert end.state is not CLOSED


@pytest.mark.families("ipv4")
def test_keepalive_counts_from_the_last_answer(client: Host, server: Host) -> None:
    """A probe that the peer has answered is none of the silence that comes later."""
    for name, value in {"time": 1, "intvl": 1, "probes": 1}.items():
        client.sysctl(f"{IPV4}tcp_keepalive_{name}", value)
    asked = client.counter("TcpExtTCPKeepAlive")
    connection = client.connect(server.listen(port=PORT), options=[KEEPALIVE])
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    end = connection.client
    reading = end.receive()
    asked.grows()
    *_, answered, _ = client.lab.sees("""
        server > client: Flags [S.], seq K
        client > server: Flags [.], ack K+1
        client > server: Flags [.], ack K+1
        server > client: Flags [.]
    """)
    server.iptables("-A INPUT -s client -j DROP")
    unanswered, *_ = end.retransmits_as_predicted("keepalive")
    assert answered.time < unanswered.time
    reading.fails(errno.ETIMEDOUT)
