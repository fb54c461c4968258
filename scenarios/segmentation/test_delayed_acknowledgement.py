"""Acknowledgements: when Linux lets them wait for something to go with, and when it does not.

Which of the two it was is told by the kernel's own counter of acknowledgements that a timer sent,
TcpExtDelayedACKs. That one waited at least as long as the timer is nominal; how much longer says
what else the machine did, so that no limit is set to it.
"""

import socket

import pytest

from sockstates import CLOSE_WAIT, ESTABLISHED, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.sizes import announced_mss, most_data
from sockstates.tcp.timers import DELAYED_ACK, early

DELAYED = "TcpExtDelayedACKs"


@pytest.mark.claims("T11")
@pytest.mark.cause("server.close")
def test_a_fin_is_acknowledged_later(lab: Lab, client: Host, server: Host) -> None:
    """The kernel waits for the program's own FIN: tcp_fin() in net/ipv4/tcp_input.c.

    Where no data has come before, the wait is over with the next tick of the kernel's clock:
    how long it is comes from the data (tcp_event_data_recv()).
    """
    lab.step("The server has sent something, and closes.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.send(b"hello")
    connection.client.receives(b"hello")
    delayed = client.counter(DELAYED)
    connection.server.close()

    lab.step("The client's kernel waits a little for the client to close too, then acknowledges.")
    *_, fin, acknowledgement = lab.sees("""
        ...
        server > client: Flags [F.], seq K, ack J
        client > server: Flags [.], ack K+1
    """)
    connection.client.reaches(CLOSE_WAIT)
    delay = (acknowledgement.time - fin.time) / NANOSECONDS
    assert delay >= early(DELAYED_ACK)
    delayed.grows(by=1)
    lab.figure(f"the FIN was acknowledged after {delay * 1000:.1f} ms")


@pytest.mark.phenomenon(
    43,
    symptom="as it should be",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="40 ms, and 200 ms at most",
    settings=("TCP_QUICKACK",),
)
@pytest.mark.claims("T11")
@pytest.mark.cause("server.set_option")
def test_data_in_a_conversation_is_acknowledged_later(lab: Lab, client: Host, server: Host) -> None:
    """In a conversation, an acknowledgement waits a little for an answer that it could go with."""
    lab.step("The server's program expects to answer what it gets: TCP_QUICKACK off, tcp(7).")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    connection.server.set_option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)

    lab.step("Data comes, and no answer goes. The acknowledgement has waited for one.")
    delayed = server.counter(DELAYED)
    connection.client.send(b"hello")
    *_, data, acknowledgement = lab.sees("""
        ...
        client > server: Flags [P.], seq J:J+5, ack K
        server > client: Flags [.], ack J+5, length 0
    """)
    delay = (acknowledgement.time - data.time) / NANOSECONDS
    assert delay >= early(DELAYED_ACK)
    delayed.grows(by=1)
    lab.figure(f"five octets were acknowledged after {delay * 1000:.1f} ms")


@pytest.mark.phenomenon(
    43,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="40 ms for each pair of writes",
    settings=("TCP_NODELAY", "TCP_QUICKACK", "TCP_CORK"),
)
@pytest.mark.cause("server.set_option")
def test_a_second_small_write_waits_for_a_delayed_acknowledgement(
    lab: Lab, client: Host, server: Host
) -> None:
    """Nagle's algorithm meets delayed acknowledgements: write, write, read has a pause each time.

    The second write waits for the acknowledgement of the first; that waits for an answer; the
    answer waits for the second write.
    """
    lab.step("The server's program expects to answer what it gets: TCP_QUICKACK off, tcp(7).")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    connection.server.set_option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)

    lab.step("The client writes a header and a body, with a call for each.")
    delayed = server.counter(DELAYED)
    connection.client.send(b"header")
    connection.client.send(b"body")

    lab.step("The body is sent when the header is acknowledged, which has taken its time.")
    *_, header, acknowledgement, body = lab.sees("""
        ...
        client > server: Flags [P.], seq J:J+6, ack K
        server > client: Flags [.], ack J+6, length 0
        client > server: Flags [P.], seq J+6:J+10, ack K
    """)
    delay = (acknowledgement.time - header.time) / NANOSECONDS
    assert delay >= early(DELAYED_ACK)
    delayed.grows()
    connection.server.receives(b"headerbody")
    lab.figure([header, acknowledgement, body])


@pytest.mark.claims("T11", holds=False)
@pytest.mark.cause("client.send")
def test_the_first_data_is_acknowledged_at_once(lab: Lab, client: Host, server: Host) -> None:
    """Quick acknowledgements let the sender's window grow: tcp_enter_quickack_mode()."""
    lab.step("A connection is new, and data comes.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    delayed = server.counter(DELAYED)
    connection.client.send(b"hello")

    lab.step("It is acknowledged, and by no timer of the kernel's.")
    *_, data, acknowledgement = lab.sees("""
        ...
        client > server: Flags [P.], seq J:J+5, ack K
        server > client: Flags [.], ack J+5, length 0
    """)
    delay = (acknowledgement.time - data.time) / NANOSECONDS
    assert delayed.grown == 0
    lab.figure(f"five octets were acknowledged after {delay * 1000:.3f} ms")


@pytest.mark.claims("T11", holds=False)
@pytest.mark.cause("client.send")
def test_every_second_full_segment_is_acknowledged_at_once(
    lab: Lab, client: Host, server: Host
) -> None:
    """RFC 9293, section 3.8.6.3; __tcp_ack_snd_check() in net/ipv4/tcp_input.c.

    It does so only where the window may go on: where the buffer has room beyond the window.
    """
    lab.step("The server's program expects to answer what it gets, so acknowledgements may wait.")
    server.sysctl("net.ipv4.tcp_rmem", "4096 262144 6291456")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.set_option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    full = most_data(announced_mss(1500, lab.family))

    lab.step(
        "Two full segments come: the second one is acknowledged at once, and the first with it."
    )
    delayed = server.counter(DELAYED)
    connection.client.send(2 * full)
    *_, first, second, acknowledgement = lab.sees(f"""
        ...
        client > server: Flags [.], seq J:J+{full}, length {full}
        client > server: Flags [P.], seq J+{full}:J+{2 * full}, length {full}
        server > client: Flags [.], ack J+{2 * full}, length 0
    """)
    delay = (acknowledgement.time - second.time) / NANOSECONDS
    assert delayed.grown == 0
    lab.figure(
        f"two full segments were acknowledged together {delay * 1000:.3f} ms after the second, "
        f"{(acknowledgement.time - first.time) / NANOSECONDS * 1000:.3f} ms after the first"
    )
