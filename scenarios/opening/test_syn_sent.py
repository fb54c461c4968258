"""SYN_SENT: the client asks for a connection, and nobody answers."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_SENT, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.timers import INITIAL_RTO, early


@pytest.mark.claims("T20")
@pytest.mark.cause("server.iptables")
def test_syn_sent_until_the_firewall_opens(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A firewall on the server swallows what comes for its port.")
    listener = server.listen(port=80)
    rule = server.iptables("-A INPUT -p tcp --dport 80 -j DROP")

    lab.step("The client sends its SYN, hears nothing, and sends the same SYN again.")
    connection = client.connect(listener)
    waiting = connection.client.reaches(SYN_SENT, owner=client, send_queue=1)
    repeated = lab.sees("""
        client > server.80: Flags [S], seq J
        client > server.80: Flags [S], seq J
    """)
    lab.figure([waiting, *repeated])
    connection.server.stays(CLOSED, seconds=0.3)
    listener.stays(LISTEN, receive_queue=0, seconds=0.3)
    lab.never_sees("server.80 > client: Flags [S.]")

    lab.step("The firewall opens. The next SYN gets through, and the connection is made.")
    rule.delete()
    connection.client.connecting.returns()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1
    """)


@pytest.mark.phenomenon(
    2,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN",
    errno="ETIMEDOUT",
    predict="syn",
    settings=("tcp_syn_retries", "tcp_syn_linear_timeouts", "TCP_SYNCNT"),
)
@pytest.mark.claims("T20", holds=False)
@pytest.mark.shortened(client={"net.ipv4.tcp_syn_retries": 1})
@pytest.mark.cause("server.iptables")
def test_syn_again_every_second_then_time_out(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A firewall on the server swallows the SYNs.")
    server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT)

    lab.step("Each repetition comes when the kernel's schedule says; then the client gives up.")
    connection.client.retransmits_as_predicted()
    connection.client.connecting.fails(errno.ETIMEDOUT)
    connection.client.reaches(CLOSED)
    lab.figure(
        lab.sees("""
        client > server.80: Flags [S], seq J
        client > server.80: Flags [S], seq J
    """)
    )


@pytest.mark.phenomenon(
    3,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN",
    errno="ETIMEDOUT",
    predict="syn --set tcp_syn_linear_timeouts=0",
    settings=("tcp_syn_retries", "tcp_syn_linear_timeouts"),
)
@pytest.mark.kernel("tcp_syn_linear_timeouts")
@pytest.mark.shortened(client={"net.ipv4.tcp_syn_retries": 2})
@pytest.mark.cause("client.sysctl")
def test_syn_again_at_doubling_intervals(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The client doubles its patience from the first SYN on, as every kernel before 6.5.")
    client.sysctl("net.ipv4.tcp_syn_linear_timeouts", 0)

    lab.step("A firewall on the server swallows the SYNs.")
    server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT)

    lab.step("The second wait is twice the first, and so on; then the client gives up.")
    _, second, third, *_ = connection.client.retransmits_as_predicted()
    assert third.time - second.time >= early(2 * INITIAL_RTO) * NANOSECONDS
    connection.client.connecting.fails(errno.ETIMEDOUT)
    connection.client.reaches(CLOSED)
