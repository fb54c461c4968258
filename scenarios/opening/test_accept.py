"""accept: the kernel completes the handshake by itself; accept(2) hands the connection over."""

import pytest

from sockstates import ESTABLISHED, LISTEN, SYN_RECV, Host, Lab


@pytest.mark.cause("client.send", stands_for="the data that comes before accept")
def test_a_connection_is_complete_before_it_is_accepted(
    lab: Lab, client: Host, server: Host
) -> None:
    lab.step("A client connects, and the server's program does not call accept.")
    listener = server.listen(port=80)
    connection = client.connect(listener)
    connection.client.connecting.returns()
    connection.client.reaches(ESTABLISHED, owner=client)

    lab.step("The connection is established. It waits in the listener's queue and is nobody's.")
    connection.server.reaches(ESTABLISHED, owner=None)
    listener.reaches(LISTEN, owner=server, receive_queue=1)

    lab.step("Data arrives already now; the kernel acknowledges and keeps it.")
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=5)
    lab.sees("""
        client > server: Flags [P.], length 5
        server > client: Flags [.]
    """)

    lab.step("The server calls accept: the connection is its own from then on.")
    connection.server.accept()
    connection.server.reaches(ESTABLISHED, owner=server)
    listener.reaches(LISTEN, receive_queue=0)
    connection.server.receives(b"hello")


@pytest.mark.claims("H10")
@pytest.mark.cause("client.iptables")
def test_accept_returns_only_after_the_third_segment(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server waits in accept.")
    listener = server.listen(port=80)
    accepting = listener.accept_next()

    lab.step("The client does not hear the server, so the handshake stops after two segments.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(listener)
    connection.server.reaches(SYN_RECV)
    assert accepting.pending

    lab.step("The rule goes. With the third segment the handshake is complete and accept returns.")
    rule.delete()
    accepting.returns()
    took = accepting.lasts()
    connection.server.reaches(ESTABLISHED, owner=server)
    *_, third = lab.sees("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        ...
        client > server: Flags [.], ack K+1
    """)
    lab.figure([third, f"accept returned after {took:.3f} s"])


@pytest.mark.claims("H10")
@pytest.mark.cause("client.send", occurrence=2)
def test_accept_makes_a_new_descriptor_for_each_connection(
    lab: Lab, client: Host, server: Host
) -> None:
    lab.step("Two clients connect to one listener, and the server accepts both.")
    listener = server.listen(port=80)
    first, second = client.connect(listener), client.connect(listener)
    first.server.accept()
    second.server.accept()
    first.server.reaches(ESTABLISHED, owner=server)
    second.server.reaches(ESTABLISHED, owner=server)

    lab.step("There are three descriptors now: the listener's and one for each connection.")
    descriptors = {
        listener.descriptor,
        first.server.descriptor,
        second.server.descriptor,
    }
    assert len(descriptors) == 3
    lab.figure(f"one listener, two connections: descriptors {sorted(descriptors)}")

    lab.step("Each leads to its own client.")
    first.client.send(b"first")
    second.client.send(b"second")
    second.server.receives(b"second")
    first.server.receives(b"first")
