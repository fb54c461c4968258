"""SO_REUSEPORT: two workers listen on one port, and one of them has stopped accepting."""

import errno
import sys
from pathlib import Path

import pytest

from sockstates import CLOSED, ESTABLISHED, SYN_SENT, Host, Lab

TWO_WORKERS = str(Path(__file__).parent / "two_workers.py")


@pytest.mark.phenomenon(
    79,
    symptom="hangs",
    client="ESTABLISHED, SYN_SENT",
    server="ESTABLISHED",
    errno="ECONNRESET, ECONNREFUSED",
    lasts="as long as the stuck worker lives",
    settings=("SO_REUSEPORT", "tcp_migrate_req", "one accept queue for all workers"),
)
@pytest.mark.cause("client.connect", occurrence=2, without="source_port", instead=7004)
def test_one_of_two_workers_stops_accepting(lab: Lab, client: Host, server: Host) -> None:
    """Each worker has an accept queue of its own: half of the clients hang, the others do not."""
    lab.step("Two workers listen on port 80. By the client's port the kernel chooses between them.")
    workers = server.start([sys.executable, TWO_WORKERS, lab.family])
    workers.prints("both listen")

    lab.step("An even port is the first worker's, which answers.")
    lucky = client.connect(server, 80, source_port=7000)
    lucky.client.send(b"hello")
    lucky.client.receives(b"olleh")

    lab.step("An odd port is the second worker's. Connected, delivered, and never answered.")
    hanging = client.connect(server, 80, source_port=7001)
    hanging.client.connecting.returns()
    hanging.client.send(b"hello")
    reading = hanging.client.receive()
    hanging.client.reaches(ESTABLISHED, send_queue=0)
    hanging.server.reaches(ESTABLISHED, owner=None, receive_queue=5)

    lab.step("Its queue has a backlog of one, and holds two. The third gets not even a connection.")
    client.connect(server, 80, source_port=7003).client.connecting.returns()
    outside = client.connect(server, 80, source_port=7005)
    outside.client.reaches(SYN_SENT)

    lab.step("The first worker, whose queue is empty, goes on to answer whom the choice gives it.")
    other = client.connect(server, 80, source_port=7002)
    other.client.send(b"hello")
    other.client.receives(b"olleh")
    assert reading.pending

    lab.step("Both workers are ended. What waited is reset, nobody else takes it over.")
    workers.kill()
    reading.fails(errno.ECONNRESET)
    hanging.client.reaches(CLOSED)
    outside.client.connecting.fails(errno.ECONNREFUSED)
    outside.client.retransmits(1)
