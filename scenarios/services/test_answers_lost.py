"""HTTP on a kept connection, and answers that are lost: which end repeats what, and who knows.

The queues say it: a Send-Q that is not empty at the server means that the answer has not come
through, or that nobody has said so.
"""

import pytest

from sockstates import ESTABLISHED, Host, Lab

REQUEST = b"POST /pay HTTP/1.1\r\nHost: server\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npaid"


@pytest.mark.phenomenon(
    75,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict="data",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT"),
)
@pytest.mark.cause("client.iptables")
def test_the_answer_is_lost(lab: Lab, client: Host, server: Host) -> None:
    """The request was done, the answer does not come: the client cannot tell that from not done."""
    lab.step("A request has been answered on a connection that both keep.")
    connection = client.connect(server.listen(port=80))
    connection.client.send(REQUEST)
    connection.server.receives(REQUEST)
    connection.server.send(ANSWER)
    connection.client.receives(ANSWER)
    connection.server.reaches(ESTABLISHED, send_queue=0)

    lab.step("From now on nothing with data comes back. The second request is read, and done.")
    lost = client.iptables("-A INPUT -p tcp --tcp-flags PSH PSH -j DROP")
    connection.client.send(REQUEST)
    reading = connection.client.receive()
    connection.server.receives(REQUEST)
    connection.server.send(ANSWER)

    lab.step("The server's kernel repeats the answer; the client's has nothing to do but wait.")
    connection.server.retransmits(2)
    connection.server.reaches(ESTABLISHED, send_queue=len(ANSWER), receive_queue=0)
    connection.client.reaches(ESTABLISHED, send_queue=0, receive_queue=0)
    assert reading.pending

    lab.step("The way is good again: the next repetition of the answer ends it, nobody is told.")
    lost.delete()
    reading.returns(ANSWER)
    connection.server.reaches(ESTABLISHED, send_queue=0)


@pytest.mark.phenomenon(
    75,
    symptom="as it should be",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict="data",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT"),
)
@pytest.mark.cause("server.iptables")
def test_only_the_acknowledgements_are_lost(lab: Lab, client: Host, server: Host) -> None:
    """The client has its answer; the server repeats it until the next request acknowledges it."""
    lab.step("A request has been answered on a connection that both keep.")
    connection = client.connect(server.listen(port=80))
    connection.client.send(REQUEST)
    connection.server.receives(REQUEST)
    connection.server.send(ANSWER)
    connection.client.receives(ANSWER)
    connection.server.reaches(ESTABLISHED, send_queue=0)

    lab.step("From now on the client's segments without data are lost. It asks again.")
    server.iptables("-A INPUT -p tcp --tcp-flags ALL ACK -j DROP")
    connection.client.send(REQUEST)
    connection.server.receives(REQUEST)
    connection.server.send(ANSWER)

    lab.step("The client has the answer at once. The server repeats what has long arrived.")
    connection.client.receives(ANSWER)
    connection.server.retransmits(2)
    connection.server.reaches(ESTABLISHED, send_queue=len(ANSWER))
    connection.client.reaches(ESTABLISHED, send_queue=0, receive_queue=0)

    lab.step("The third request carries the acknowledgement of the second answer: all is well.")
    connection.client.send(REQUEST)
    connection.server.receives(REQUEST)
    connection.server.reaches(ESTABLISHED, send_queue=0)
