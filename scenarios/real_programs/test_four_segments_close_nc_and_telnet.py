"""The close of nc and telnet, the server interrupted first: four segments, or three.

The article's capture has four. It holds under a condition: the client must take longer to close
than its kernel waits with the acknowledgement of the FIN. A client that reads the end of the data
and closes at once acknowledges with its own FIN, and the second and third segment are one.
"""

import signal

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT, Host, Lab, Wire

pytestmark = pytest.mark.programs("nc", "telnet", "ss")


@pytest.mark.claims("T24")
@pytest.mark.cause("client.send_signal", occurrence=1)
def test_four_segments_when_the_client_takes_its_time(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    lab.step("telnet is connected to nc.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    telnet = client.start("telnet server 16868")
    connection = telnet.connects(listener)
    telnet.prints("Connected to server")

    lab.step("telnet is stopped (SIGSTOP): it will not see the end of the data yet.")
    telnet.send_signal(signal.SIGSTOP)
    connection.server.reaches("ESTABLISHED", owner=waiting)

    lab.step("Ctrl-C ends nc. Its kernel sends the FIN, the client's kernel acknowledges it.")
    waiting.interrupt()
    waiting.ends(-signal.SIGINT)
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=telnet)
    connection.client.stays(CLOSE_WAIT, owner=telnet, seconds=0.3)
    client.agrees_with_ss()

    lab.step("telnet goes on, reads the end, and closes too.")
    telnet.send_signal(signal.SIGCONT)
    *_, first, second, third, fourth = lab.sees("""
        client > server.16868: Flags [S], seq A
        server.16868 > client: Flags [S.], seq B, ack A+1
        client > server.16868: Flags [.], ack B+1
        ...
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        client > server.16868: Flags [.], ack K+1, length 0
        client > server.16868: Flags [F.], seq J, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+1, length 0
    """)
    lab.figure([first, second, third, fourth])
    telnet.prints("Connection closed by foreign host")
    connection.server.reaches(TIME_WAIT, owner=None)
    connection.client.reaches(CLOSED)
    server.agrees_with_ss()


@pytest.mark.cause("server.interrupt")
def test_the_numbers_whether_four_segments_or_three(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    """The client's FIN is acknowledged, and acknowledges the server's, merged or not.

    Whether TIME_WAIT follows is not said here. An acknowledgement that a timer sends on one
    processor can be overtaken by the FIN that the program sends on another; the server answers the
    stale one from TIME_WAIT, the client resets, and TIME_WAIT is over (RFC 1337).
    """
    lab.step("telnet is connected to nc.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    telnet = client.start("telnet server 16868")
    connection = telnet.connects(listener)
    telnet.prints("Connected to server")
    connection.server.reaches("ESTABLISHED", owner=waiting)

    lab.step("Ctrl-C ends nc; telnet closes as soon as it sees the end of the data.")
    waiting.interrupt()
    waiting.ends(-signal.SIGINT)
    telnet.prints("Connection closed by foreign host")
    lab.sees("""
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        ...
        client > server.16868: Flags [F.], seq J, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+1, length 0
    """)
    connection.client.reaches(CLOSED)


@pytest.mark.claims("T24", holds=False)
@pytest.mark.cause("server.close_input")
def test_three_segments_when_telnet_closes_at_once(
    lab: Lab, client: Host, server: Host, wire: Wire, nc: str
) -> None:
    """Nobody holds telnet up: its FIN is the first to acknowledge nc's.

    For that telnet must be faster than its kernel. On a new connection that would be a race: the
    acknowledgement goes with the kernel's next tick, because no data has come that tells how long
    to wait. Here data has come that nobody read: the first pieces are acknowledged at once
    (TCP_MAX_QUICKACKS: 16), each later one by the timer, and each timer that runs out doubles the
    wait, up to the round-trip time, and up to 200 ms (tcp_delack_timer_handler() in
    net/ipv4/tcp_timer.c, tcp_send_delayed_ack() in net/ipv4/tcp_output.c).
    """
    lab.step("The way is long: the answer to telnet's SYN takes 0.3 s.")
    wire.delay("server > client: Flags [S.]", seconds=0.3)
    talk = f"(read go; for each in $(seq 80); do echo; sleep 0.01; done; cat) | {nc} -N -l 16868"
    waiting = server.start(["sh", "-c", talk])
    listener = waiting.listens(16868)
    telnet = client.start("telnet server 16868")
    connection = telnet.connects(listener)
    telnet.prints("Connected to server")

    lab.step("telnet is stopped. nc sends line after line: the client's kernel learns to wait.")
    telnet.send_signal(signal.SIGSTOP)
    waiting.type("go\n")
    lab.sees("""
        client > server.16868: Flags [S], seq A
        server.16868 > client: Flags [S.], seq B, ack A+1
        ...
        client > server.16868: Flags [.], ack B+81, length 0
    """)
    connection.client.reaches(ESTABLISHED, owner=telnet, receive_queue=80)

    lab.step("telnet goes on and reads all lines.")
    telnet.send_signal(signal.SIGCONT)
    connection.client.reaches(ESTABLISHED, owner=telnet, receive_queue=0)

    lab.step("nc's input is over, and it closes. telnet reads the end, and closes at once.")
    delayed = client.counter("TcpExtDelayedACKs")
    waiting.close_input()
    telnet.ends()
    delayed.has_not_told_of_lateness("the kernel acknowledged the FIN before telnet could close")
    closed = lab.sees("""
        server.16868 > client: Flags [F.], seq B+81, ack A+1, length 0
        client > server.16868: Flags [F.], seq A+1, ack B+82, length 0
        server.16868 > client: Flags [.], ack A+2, length 0
    """)
    lab.figure(closed)
    telnet.prints("Connection closed by foreign host")
    connection.server.reaches(TIME_WAIT, owner=None)
    connection.client.reaches(CLOSED)
