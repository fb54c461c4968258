"""A handshake written by hand: one end is no kernel, the other cannot tell."""

import pytest

from sockstates import CLOSE_WAIT, ESTABLISHED, SYN_RECV, SYN_SENT, Host, Lab


@pytest.mark.cause("client.sends", occurrence=1, without="ack K+1", instead="ack K+2")
def test_a_crafted_client_opens_a_connection(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Nobody on the client has port 40000 open: what it sends is written here.")
    crafted = client.crafts(port=40000, to=server.listen(port=80))

    lab.step("A SYN. The server's kernel answers it, and the client's kernel keeps quiet.")
    crafted.sends("Flags [S], seq 1000, win 64240, options [mss 1460]")
    lab.sees("""
        client.40000 > server.80: Flags [S], seq 1000, options [mss 1460]
        server.80 > client.40000: Flags [S.], seq K, ack 1001, options [mss _]
    """)
    crafted.peer.reaches(SYN_RECV)

    lab.step("The acknowledgement, with the server's own number: the connection is there.")
    crafted.sends("Flags [.], seq 1001, ack K+1")
    crafted.peer.reaches(ESTABLISHED)

    lab.step("Five bytes, then a FIN, all of them acknowledged.")
    crafted.sends("Flags [P.], seq 1001:1006, ack K+1, length 5", payload=b"hello")
    crafted.sends("Flags [F.], seq 1006, ack K+1")
    lab.sees("... \n server > client: Flags [.], ack 1007")
    crafted.peer.reaches(CLOSE_WAIT)
    crafted.peer.receives(b"hello")
    crafted.peer.receives_end()


@pytest.mark.cause("server.crafts")
def test_a_crafted_server_answers(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Nobody listens on the server; its kernel does not refuse what comes for port 80.")
    crafted = server.crafts(port=80, to=client)
    connection = client.connect(server, port=80)
    lab.sees("client > server: Flags [S], seq J")
    connection.client.reaches(SYN_SENT)

    lab.step("A SYN-ACK written by hand is as good as a kernel's.")
    crafted.sends("Flags [S.], seq 5000, ack J+1, options [mss 1460]")
    connection.client.reaches(ESTABLISHED)
    lab.sees("""
        server > client: Flags [S.], seq 5000, ack J+1
        client > server: Flags [.], ack 5001
    """)
