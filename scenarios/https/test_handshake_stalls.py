"""A TLS handshake that stalls: both sockets are ESTABLISHED all the time; the queues tell why.

TCP's states know nothing of TLS. What says which flight is missing is whose Send-Q is not empty:
there the flight is repeated; where Send-Q and Recv-Q are empty at both ends, somebody is silent.
"""

import pytest

from scenarios.https.authority import Identity
from scenarios.https.conftest import Programs
from sockstates import CLOSE_WAIT, ESTABLISHED, FIN_WAIT2, Host, Lab

DATA = "-p tcp --tcp-flags PSH PSH -j DROP"
HELLO = "client: ClientHello"
CERTIFICATE = f"{HELLO}\nserver: ServerHello, Certificate, ServerHelloDone"
KEY_EXCHANGE = f"{CERTIFICATE}\nclient: ClientKeyExchange, ChangeCipherSpec, Finished"
FINISHED = f"{KEY_EXCHANGE}\nserver: NewSessionTicket, ChangeCipherSpec, Finished"


@pytest.mark.phenomenon(
    74,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict="data",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT", "the programs' own timeouts"),
)
@pytest.mark.cause("server.iptables", occurrence=1)
@pytest.mark.programs("openssl")
def test_each_flight_of_the_handshake_is_lost(
    lab: Lab, client: Host, server: Host, programs: Programs, identity: Identity
) -> None:
    """The handshake stalls at each of its four flights, and goes on."""
    lab.step("The ClientHello is lost: the client's kernel repeats it, the server waits in read.")
    serving = programs.serve(server, "openssl", identity)
    listener = serving.listens(4433)
    at_server = server.iptables(f"-A INPUT {DATA}")
    speaking = programs.connect(client, "openssl")
    connection = speaking.connects(listener)
    hello = connection.sees_tls(HELLO).client.records[-1]
    connection.client.retransmits(2)
    connection.client.reaches(ESTABLISHED, owner=speaking, send_queue=hello.end)
    connection.server.reaches(ESTABLISHED, owner=serving, send_queue=0, receive_queue=0)

    lab.step("It gets through. Now the certificate's flight is lost, and the server repeats it.")
    at_client = client.iptables(f"-A INPUT {DATA}")
    at_server.delete()
    certificate = connection.sees_tls(CERTIFICATE).server.records[-1]
    connection.server.retransmits(2)
    connection.server.reaches(ESTABLISHED, owner=serving, send_queue=certificate.end)
    connection.client.reaches(ESTABLISHED, owner=speaking, send_queue=0, receive_queue=0)

    lab.step("It gets through. Now the client's key exchange is lost, and repeated.")
    at_server = server.iptables(f"-A INPUT {DATA}")
    at_client.delete()
    exchange = connection.sees_tls(KEY_EXCHANGE).client.records[-1]
    connection.client.reaches(ESTABLISHED, owner=speaking, send_queue=exchange.end - hello.end)
    connection.server.reaches(ESTABLISHED, owner=serving, send_queue=0, receive_queue=0)

    lab.step("It gets through. Now the server's Finished is lost: only the server is done.")
    at_client = client.iptables(f"-A INPUT {DATA}")
    at_server.delete()
    finished = connection.sees_tls(FINISHED).server.records[-1]
    waiting = finished.end - certificate.end
    connection.server.reaches(ESTABLISHED, owner=serving, send_queue=waiting)
    connection.client.reaches(ESTABLISHED, owner=speaking, send_queue=0, receive_queue=0)

    lab.step("It gets through too, and the client can say hello.")
    at_client.delete()
    speaking.type("hello\n")
    speaking.prints("olleh")


@pytest.mark.phenomenon(
    70,
    symptom="hangs",
    client="ESTABLISHED, FIN_WAIT2",
    server="ESTABLISHED, CLOSE_WAIT",
    lasts="as long as the client's own timeout, without one for ever",
    settings=("SO_RCVTIMEO, poll's timeout", "curl: --max-time"),
)
@pytest.mark.cause("client.start", without="--max-time 2")
@pytest.mark.programs("curl")
def test_a_peer_that_accepts_and_is_silent(lab: Lab, client: Host, server: Host) -> None:
    """The hello is acknowledged by the kernel, and read by nobody: curl's own limit ends it."""
    lab.step("A program accepts a connection, and then does nothing.")
    listener = server.listen(port=443)
    listener.accept_next()
    # Insecure: no certificate comes, and a machine without ca-certificates can do it too.
    curl = client.start("curl --silent --show-error --insecure --max-time 2 https://server/")
    connection = curl.connects(listener)
    connection.server.accept()

    lab.step("The ClientHello lies in the server's Recv-Q; the client waits. Nothing is sent.")
    hello = connection.sees_tls(HELLO).client.records[-1]
    connection.server.reaches(ESTABLISHED, owner=server, send_queue=0, receive_queue=hello.end)
    connection.client.reaches(ESTABLISHED, owner=curl, send_queue=0, receive_queue=0)

    lab.step("curl says that it timed out, and closes; the silent program does not notice.")
    curl.ends(28)
    connection.client.reaches(FIN_WAIT2, owner=None)
    connection.server.reaches(CLOSE_WAIT, owner=server)


@pytest.mark.phenomenon(
    70,
    symptom="hangs",
    client="ESTABLISHED, FIN_WAIT2",
    server="ESTABLISHED, CLOSE_WAIT",
    lasts="as long as the client's own timeout, without one for ever",
    settings=("SO_RCVTIMEO, poll's timeout", "curl: --max-time"),
)
@pytest.mark.cause("client.start", without="1", instead="60", stands_for="its patience")
def test_a_peer_that_does_not_even_accept(
    lab: Lab, client: Host, server: Host, programs: Programs
) -> None:
    """A connection in the accept queue looks the same, but nobody owns it at the server."""
    lab.step("A program listens and never accepts; the client waits one second for anything.")
    listener = server.listen(port=4433)
    speaking = programs.connect(client, "python", patience=1)
    connection = speaking.connects(listener)

    lab.step("The kernel has taken the ClientHello: ESTABLISHED at both ends, nobody reads.")
    hello = connection.sees_tls(HELLO).client.records[-1]
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=hello.end)
    connection.client.reaches(ESTABLISHED, owner=speaking, send_queue=0)

    lab.step("The client gets a timeout of its handshake, not of its connection.")
    speaking.ends(1)
    speaking.prints("The handshake operation timed out")
    connection.client.reaches(FIN_WAIT2, owner=None)
    connection.server.reaches(CLOSE_WAIT, owner=None)
