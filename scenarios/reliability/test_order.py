"""Segments that arrive out of order: kept, told of at once, and put in order for the program."""

import socket

import pytest

from sockstates import ESTABLISHED, Host, Lab, Wire

pytestmark = pytest.mark.claims("T12")


@pytest.mark.cause("wire.hold")
def test_what_comes_late_is_put_in_its_place(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80)).established()
    size = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    queued = server.counter("TcpExtTCPOFOQueue")

    lab.step("Three segments are sent. The wire holds the first until the third has passed.")
    wire.hold("client > server: Flags [_]", number=1, until=3)
    data = b"1" * size + b"2" * size + b"3" * size
    connection.client.send(data)

    lab.step("The server keeps the second and the third, and says at once what is missing.")
    lab.sees("client > server: Flags [S], seq J")
    *_, second = lab.sees(f"""
        ...
        server > client: Flags [.], ack J+1, options [sack 1 {{J+{size + 1}:J+{2 * size + 1}}}]
    """)
    *_, third = lab.sees(f"""
        ...
        server > client: Flags [.], ack J+1, options [sack 1 {{J+{size + 1}:J+{3 * size + 1}}}]
    """)
    *_, all_of_it = lab.sees(f"...\n server > client: Flags [.], ack J+{3 * size + 1}")
    queued.grows(by=2)

    lab.step("The program reads them in the order in which they were sent.")
    connection.server.receives(data)
    lab.figure([second, third, all_of_it, str(queued)])


@pytest.mark.cause("wire.hold")
def test_nothing_is_read_before_what_is_missing(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    lab.step("The wire loses every first segment of the client's data, and holds it back.")
    connection = client.connect(server.listen(port=80)).established()
    size = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    lab.sees("client > server: Flags [S], seq J")
    held = wire.hold("client > server: Flags [_], seq J+1")

    lab.step("Two segments are sent; the second arrives. There is nothing to read.")
    reading = connection.server.receive()
    connection.client.send(b"1" * size + b"2" * size)
    *_, missing = lab.sees(
        f"...\n server > client: Flags [.], ack J+1, options [sack 1 {{J+{size + 1}:_}}]"
    )
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.1)
    assert reading.pending

    lab.step("The first is let go, and both can be read.")
    held.release()
    reading.returns(b"1" * size + b"2" * size)
    lab.figure([missing, f"recv waited until the first had come, then gave {2 * size} octets"])
