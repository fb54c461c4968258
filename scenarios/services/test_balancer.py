"""A load balancer whose backend dies: two connections, of which the client sees the healthy one.

Here the balancer is a proxy, with a connection to each side. One that only rewrites addresses
(DNAT) has none of its own: nobody acknowledges the client's request then, and the client's own
kernel gives up, as in established/test_black_hole.py.
"""

import sys
from pathlib import Path

import pytest

from harness import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2
from harness.lab import Host, Lab

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
