"""A program that does not block in connect(2): what wakes its poll(2), and where the error is."""

import errno
from select import POLLIN, POLLOUT

import pytest

from sockstates import CLOSED, ESTABLISHED, SYN_SENT, Host, Lab


@pytest.mark.phenomenon(
    5,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN",
    errno="EINPROGRESS, ETIMEDOUT",
    predict="syn",
    settings=("tcp_syn_retries", "tcp_syn_linear_timeouts", "TCP_SYNCNT", "TCP_USER_TIMEOUT"),
)
@pytest.mark.shortened(client={"net.ipv4.tcp_syn_retries": 1})
@pytest.mark.cause("server.iptables")
def test_poll_wakes_when_the_syns_are_used_up(lab: Lab, client: Host, server: Host) -> None:
    """A black hole wakes poll no sooner than it ends a connect that blocks; SO_ERROR says why.

    The socket is writable then, which alone would look like success.
    """
    lab.step("A firewall on the server swallows the SYNs.")
    listener = server.listen(port=80)
    server.iptables("-A INPUT -p tcp --dport 80 -j DROP")

    lab.step("The client connects without blocking, and waits until its socket is writable.")
    connection = client.connect(listener, blocking=False)
    connection.client.connecting.fails(errno.EINPROGRESS)
    waiting = connection.client.poll(POLLOUT)
    connection.client.reaches(SYN_SENT, owner=client)
    assert waiting.pending

    lab.step("The kernel gives up. That wakes the program, and the socket has kept the error.")
    connection.client.retransmits_as_predicted()
    waiting.returns("POLLOUT|POLLERR|POLLHUP")
    connection.client.error().fails(errno.ETIMEDOUT)
    connection.client.reaches(CLOSED)

    lab.step("The error is told once. What is left is a socket that was hung up.")
    connection.client.error().returns()
    connection.client.poll(POLLOUT).returns("POLLOUT|POLLHUP")


@pytest.mark.phenomenon(
    5, symptom="refused", client="CLOSED", errno="EINPROGRESS, ECONNREFUSED", lasts="a round trip"
)
@pytest.mark.cause("server.rule.delete")
def test_poll_wakes_when_the_connection_is_refused(lab: Lab, client: Host, server: Host) -> None:
    """A refusal wakes poll in the same way: writable, and an error in SO_ERROR."""
    lab.step("Nobody listens, and a firewall swallows the first SYN.")
    rule = server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    connection = client.connect(server, port=80, blocking=False)
    connection.client.connecting.fails(errno.EINPROGRESS)
    waiting = connection.client.poll(POLLOUT)
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The firewall opens. The next SYN is refused.")
    rule.delete()
    waiting.returns("POLLOUT|POLLERR|POLLHUP", seconds=lab.deadlines.patience)
    connection.client.error().fails(errno.ECONNREFUSED)
    connection.client.reaches(CLOSED)


@pytest.mark.phenomenon(
    5,
    symptom="as it should be",
    client="ESTABLISHED",
    server="ESTABLISHED",
    errno="EINPROGRESS",
    lasts="a round trip",
)
@pytest.mark.cause("server.rule.delete")
def test_poll_wakes_when_the_connection_is_there(lab: Lab, client: Host, server: Host) -> None:
    """Success wakes poll with POLLOUT alone, and there is no error."""
    lab.step("A firewall swallows the first SYN.")
    listener = server.listen(port=80)
    rule = server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    connection = client.connect(listener, blocking=False)
    connection.client.connecting.fails(errno.EINPROGRESS)
    waiting = connection.client.poll(POLLOUT)
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The firewall opens.")
    rule.delete()
    waiting.returns("POLLOUT", seconds=lab.deadlines.patience)
    connection.client.error().returns()
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("The server sends: that is what wakes a program that waits to read.")
    reading = connection.client.poll(POLLIN)
    assert reading.pending
    connection.server.send(b"hello")
    reading.returns("POLLIN")
