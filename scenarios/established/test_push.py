"""PSH: what it asks of the receiver, and that Linux as a receiver does not ask for it.

The kernel wakes a program for every byte that arrives in order (tcp_data_ready), and for fewer than
the program wants (SO_RCVLOWAT, socket(7)) not even when PSH is set.
"""

import socket

import pytest

from sockstates import ESTABLISHED, Host, Lab

pytestmark = pytest.mark.claims("T16", holds=False)


@pytest.mark.cause("client.send")
def test_data_without_psh_is_handed_over_at_once(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server's program waits in recv.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    reading = connection.server.receive()

    lab.step("The client sends a full segment, and says that more is to come: MSG_MORE, send(2).")
    largest = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    connection.client.send(largest, more=True)
    without_push = lab.sees(
        f"client > server: Flags [.], seq J:J+{largest}, ack K, length {largest}"
    )

    lab.step("recv has returned with all of it, and nothing with PSH was on the wire.")
    reading.returns(bytes(largest))
    lab.figure(without_push)
    lab.never_sees("client > server: Flags [P.]")

    lab.step("The client sends what it had announced: this one has PSH.")
    connection.client.send(b"x")
    connection.server.receives(b"x")
    lab.sees("...\nclient > server: Flags [P.], length 1")


@pytest.mark.cause("server.set_option")
def test_data_with_psh_is_kept_from_a_program_that_wants_more(
    lab: Lab, client: Host, server: Host
) -> None:
    lab.step("The server's program waits in recv, and wants ten bytes at least: SO_RCVLOWAT.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.set_option(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    reading = connection.server.receive()

    lab.step("Five bytes come, with PSH. They stay in the kernel, and recv goes on waiting.")
    connection.client.send(b"hello")
    with_push = lab.sees("""
        client > server: Flags [P.], length 5
        server > client: Flags [.]
    """)
    kept = connection.server.stays(ESTABLISHED, owner=server, receive_queue=5, seconds=0.3)
    assert reading.pending
    lab.figure([*with_push, kept])

    lab.step("Five more come, and recv returns with all ten.")
    connection.client.send(b"world")
    reading.returns(b"helloworld")
