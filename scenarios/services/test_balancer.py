"""A load balancer whose backend dies: what the client hears, and when, is for the balancer's kind.

A proxy has a connection to each side, and the client sees the healthy one. A router that only
rewrites addresses (DNAT) has none of its own: the client's one ends at the backend.
"""

import errno
import sys
from pathlib import Path

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, Host, Lab

BALANCER = str(Path(__file__).parent / "balancer.py")


@pytest.mark.phenomenon(
    72,
    symptom="hangs",
    client="ESTABLISHED, CLOSE_WAIT",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict="data",
    settings=(
        "balancer: its timeout for an answer of the backend",
        *("balancer: tcp_retries2", "balancer: TCP_USER_TIMEOUT"),
        "client: SO_RCVTIMEO",
    ),
)
@pytest.mark.topology(hosts=("client", "balancer", "server"))
@pytest.mark.shortened(balancer={"net.ipv4.tcp_retries2": 1})
@pytest.mark.cause("server.iptables")
def test_the_backend_behind_a_load_balancer_dies(lab: Lab, client: Host, server: Host) -> None:
    """The client hangs with all acknowledged. The balancer gets ETIMEDOUT, the client an end.

    What the client waits for is a timer of another host's, and it never learns why it has ended.
    """
    lab.step("A client connects to a balancer, and that to its backend: two connections.")
    backend = server.listen(port=8080)
    balancing = lab["balancer"].start([sys.executable, BALANCER, lab.family])
    front = client.connect(balancing.listens(80))
    back = balancing.connects(backend)
    back.server.accept()
    front.reaches(client=ESTABLISHED, server=ESTABLISHED)
    back.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("The backend's host falls silent, as one without power. Nobody is told.")
    server.iptables("-A INPUT -j DROP")

    lab.step("The client sends a request. The balancer acknowledges it, and passes it on.")
    front.client.send(b"anybody there?").returns(14)
    reading = front.client.receive()
    waiting = back.client.reaches(ESTABLISHED, owner=balancing, send_queue=14)
    lab.sees("""
        ...
        client > balancer.80: Flags [P.], seq K, length 14
        ...
        balancer.80 > client: Flags [.], ack K+14
    """)

    lab.step("Only the balancer's kernel has something to send again. It gives up in the end.")
    sent = back.client.retransmits_as_predicted("data")
    back.client.reaches(CLOSED)
    balancing.prints("lost: ETIMEDOUT")

    lab.step("The balancer closes. Only now the client hears anything: an end, and no error.")
    reading.returns(b"")
    front.server.reaches(FIN_WAIT2)
    front.client.reaches(CLOSE_WAIT, owner=client, send_queue=0, receive_queue=0)
    lab.sees("""
        ...
        balancer > server.8080: Flags [P.], seq L, length 14
        balancer.80 > client: Flags [F.]
    """)

    lab.step("The backend's host, were it to come back, would still believe in its connection.")
    back.server.stays(ESTABLISHED, owner=server, receive_queue=0, seconds=0.2)
    lab.never_sees("balancer > server: Flags [R.]")
    lab.figure([waiting, *sent])


@pytest.mark.phenomenon(
    72,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict="data",
    settings=(*("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT", "SO_RCVTIMEO"),),
)
@pytest.mark.kernel("nat")
@pytest.mark.shortened(client={"net.ipv4.tcp_retries2": 1})
@pytest.mark.cause("server.iptables")
def test_the_backend_behind_a_router_that_rewrites_dies(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """Nobody acknowledges the request: a balancer that only rewrites addresses has no connection.

    So the client's own kernel gives up, when its own settings say, and its program gets the error.
    """
    lab.step("A router leads whoever asks it at port 80 on to the backend, at port 8080.")
    router.iptables("-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination server:8080")
    connection = client.connect(server.listen(port=8080), at=(router, 80))
    connection.server.accept()
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step(
        "It is one connection. The client speaks to the router, and the backend to the client."
    )
    lab.sees("""
        client > router.80: Flags [S], seq J
        server.8080 > client: Flags [S.], seq K, ack J+1
        client > router.80: Flags [.], ack K+1
    """)
    router.sees_flow(connection, ["SYN_SENT", "SYN_RECV", "ESTABLISHED"])

    lab.step("The backend's host falls silent, as one without power. Nobody is told.")
    server.iptables("-A INPUT -j DROP")

    lab.step("The client sends a request, which nobody acknowledges, and waits for the answer.")
    connection.client.send(b"anybody there?").returns(14)
    reading = connection.client.receive()
    waiting = connection.client.reaches(ESTABLISHED, owner=client, send_queue=14)

    lab.step("The client's own kernel sends it again, and gives up in the end.")
    sent = connection.client.retransmits_as_predicted("data")
    connection.client.reaches(CLOSED)
    reading.fails(errno.ETIMEDOUT)

    lab.step("Nobody has told it anything, and the backend's host, were it to come back, neither.")
    connection.server.stays(ESTABLISHED, owner=server, receive_queue=0, seconds=0.2)
    lab.never_sees("client > router.80: Flags [R]")
    lab.never_sees("server.8080 > client: Flags [R]")
    lab.figure([waiting, *sent])
