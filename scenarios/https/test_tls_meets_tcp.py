"""Where the ends of TLS and of TCP do not agree, and what a path does to a TLS handshake."""

import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from scenarios.https.authority import Authority, Identity
from scenarios.https.conftest import Programs
from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, Connection, Host, Lab, Program
from sockstates.tcp.timers import MINIMUM_RTO

SERVER = str(Path(__file__).parent / "demanding_server.py")
CLIENT = str(Path(__file__).parent / "typed_client.py")
PYTHON = (sys.executable, CLIENT)
OPENSSL = ("openssl", "s_client", "-connect", "server:4433", "-servername", "server", "-CAfile")
HANDSHAKE = """
    client: ClientHello
    server: ServerHello, Certificate, ServerKeyExchange, ServerHelloDone
    client: ClientKeyExchange, ChangeCipherSpec, Finished
    server: NewSessionTicket, ChangeCipherSpec, Finished
    client: application data"""


@pytest.mark.phenomenon(
    74,
    symptom="large transfers stall",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict="data",
    settings=("MTU of every link", "tcp_mtu_probing", "the length of the certificate chain"),
)
@pytest.mark.cause("router.mtu", occurrence=1)
def test_a_certificate_too_large_for_the_path(
    lab: Lab,
    client: Host,
    router: Host,
    server: Host,
    *,
    programs: Programs,
    identity: Identity,
    tmp_path: Path,
) -> None:
    """The path takes less than both ends believe: TCP connects, the certificate never comes."""
    lab.step("The router loses what is larger than 1400 bytes, and tells nobody.")
    router.mtu(1400)
    chain = tmp_path / "chain.pem"
    authority = programs.authority.certificate.read_bytes()
    chain.write_bytes(identity.certificate.read_bytes() + 4 * authority)
    serving = programs.serve(server, "python", Identity(chain, identity.key))
    listener = serving.listens(4433)

    lab.step("A client connects and says hello: small segments, which arrive.")
    speaking = programs.connect(client, "python")
    connection = speaking.connects(listener)
    talk = connection.sees_tls("""
        client: ClientHello
        server: ServerHello, Certificate, ServerHelloDone
    """)

    lab.step("The certificates fill whole segments. The server sends the first again and again.")
    connection.server.retransmits(2)
    unacknowledged = talk.server.records[-1].end
    connection.server.reaches(ESTABLISHED, owner=serving, send_queue=unacknowledged)
    connection.client.reaches(ESTABLISHED, owner=speaking, send_queue=0, receive_queue=0)

    lab.step("The router takes whole segments: the next repetition arrives, and all goes on.")
    router.mtu(1500)
    speaking.type("hello\n")
    speaking.prints("olleh")


@pytest.mark.phenomenon(
    74,
    symptom="one side only",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ECONNRESET",
    lasts="at once; at the server for ever",
    settings=("the firewall's list of names", "SO_KEEPALIVE at the server"),
)
@pytest.mark.cause("router.iptables", occurrence=2)
def test_a_reset_after_the_name_in_the_hello(
    lab: Lab, client: Host, router: Host, server: Host, *, programs: Programs, identity: Identity
) -> None:
    """A firewall lets TCP connect, reads the name in the ClientHello, and resets the client.

    Ours resets whatever the ClientHello says; one that chooses by name looks the same to both ends.
    """
    lab.step("A firewall on the way lets the handshake of TCP pass, and rejects the first data.")
    serving = programs.serve(server, "python", identity)
    listener = serving.listens(4433)
    looking = router.iptables("-A FORWARD -p tcp --dport 4433 --tcp-flags PSH PSH -j DROP")
    router.iptables(
        "-A FORWARD -p tcp --dport 4433 --tcp-flags PSH PSH -j REJECT --reject-with tcp-reset"
    )

    lab.step("The client's hello has the name in clear. The firewall keeps it, and looks at it.")
    answers = client.capture("src host server and tcp", direction="in", interface="eth0")
    speaking = programs.connect(client, "python")
    connection = speaking.connects(listener)
    talk = connection.sees_tls("client: ClientHello")
    assert talk.client_hello.server_name == "server"

    lab.step("It does not like the name: a reset, in the server's name.")
    looking.delete()
    speaking.ends(1)
    speaking.prints("ConnectionResetError")
    assert [each.flags for each in answers.segments] == ["S.", "R"]

    lab.step("Nothing of that has come to the server: it waits for a hello, for ever.")
    connection.client.reaches(CLOSED)
    connection.server.reaches(ESTABLISHED, owner=serving, receive_queue=0)


class Reader(NamedTuple):
    """A client, before and after the name of the authority's file, and what it is typed.

    told: what it makes of an end without close_notify.
    """

    program: tuple[str, ...]
    manners: tuple[str, ...]
    typed: str
    told: str


STRICT = Reader(PYTHON, (), "hello\nread\nread\n", "UNEXPECTED_EOF_WHILE_READING")
LENIENT = Reader(PYTHON, ("lenient",), "hello\nread\nread\n", "got b''")
S_CLIENT = Reader(OPENSSL, (), "hello\n", "unexpected eof while reading")


@pytest.mark.phenomenon(
    74,
    symptom="reset",
    client="ESTABLISHED, CLOSE_WAIT, CLOSED",
    server="ESTABLISHED, FIN_WAIT2",
    lasts="at once",
    settings=(
        "Python: suppress_ragged_eofs",
        "OpenSSL: SSL_OP_IGNORE_UNEXPECTED_EOF",
        "a length that the data tells of itself",
    ),
)
@pytest.mark.programs("openssl")
@pytest.mark.cause("server.kill")
@pytest.mark.parametrize(
    "reader", [STRICT, LENIENT, S_CLIENT], ids=["strict", "lenient", "openssl"]
)
def test_a_fin_without_close_notify(
    lab: Lab, client: Host, server: Host, *, programs: Programs, identity: Identity, reader: Reader
) -> None:
    """A server is killed: to TCP an orderly end, to TLS perhaps somebody who cuts an answer short.

    Python's ssl hides the difference, unless it is told not to (SSLEOFError then; before 3.11.4 not
    even that, gh-95494): the program reads an end, as if all had come.
    """
    lab.step("A client and a server talk TLS. The server answers one line.")
    serving = programs.serve(server, "python", identity, ciphers="ECDHE")
    listener = serving.listens(4433)
    authority = str(programs.authority.certificate)
    speaking = client.start([*reader.program, authority, *reader.manners])
    connection = speaking.connects(listener)
    speaking.type(reader.typed)
    speaking.prints("olleh")

    lab.step("The server is killed. Its kernel closes TCP; nobody is there to say so in TLS.")
    speaking.send_signal(signal.SIGSTOP)
    serving.kill()
    *_, acknowledged = lab.sees("""
        ...
        server.4433 > client: Flags [F.], seq K, ack J
        ...
        client > server.4433: Flags [.], ack K+1
    """)
    closed = connection.client.reaches(CLOSE_WAIT, owner=speaking)
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.sees_tls(f"{HANDSHAKE}\n    server: application data")

    lab.step("All is acknowledged: nothing is sent any more, and TCP knows of no error.")
    lab.stays_quiet(seconds=2 * MINIMUM_RTO)

    lab.step("What the program is told is up to its library, and to how that was called.")
    speaking.send_signal(signal.SIGCONT)
    speaking.prints(reader.told)
    speaking.kill()
    connection.client.reaches(CLOSED)
    lab.figure([acknowledged, closed])


@pytest.mark.phenomenon(
    74,
    symptom="as it should be",
    client="ESTABLISHED, CLOSE_WAIT",
    server="ESTABLISHED, FIN_WAIT2",
    lasts="at once",
)
@pytest.mark.programs("openssl")
@pytest.mark.cause("client.type", stands_for="the line after which the server says that it ends")
@pytest.mark.parametrize("reader", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_a_fin_after_close_notify(
    lab: Lab, client: Host, server: Host, *, programs: Programs, identity: Identity, reader: Reader
) -> None:
    """The end as TLS wants it. TCP's states are the same, and both sorts of programs read an end.

    To the program that takes any end for a good one, this and an answer cut short are the same.
    """
    lab.step("A client and a server talk TLS. The client asks the server to end.")
    serving = programs.serve(server, "openssl", identity, ciphers="ECDHE")
    listener = serving.listens(4433)
    authority = str(programs.authority.certificate)
    speaking = client.start([*reader.program, authority, *reader.manners])
    connection = speaking.connects(listener)
    speaking.type("CLOSE\n")

    lab.step("The server says in TLS that this is all. It does not wait for an answer.")
    connection.sees_tls(f"{HANDSHAKE}\n    server: alert (encrypted)")
    serving.kill()
    connection.client.reaches(CLOSE_WAIT, owner=speaking)
    connection.server.reaches(FIN_WAIT2, owner=None)

    lab.step("The client reads the end, and nothing is wrong with it.")
    speaking.type("read\n")
    speaking.prints("got b''")


@pytest.mark.phenomenon(
    74,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET",
    lasts="at once",
    settings=("server: read all before closing",),
)
@pytest.mark.cause(
    "client.type", occurrence=1, stands_for="the request that the server never reads"
)
def test_an_alert_is_lost_to_who_writes_first(
    lab: Lab, client: Host, server: Host, authority: Authority, *, identity: Identity
) -> None:
    """The server says why, and closes with bytes unread: who writes next learns of a reset only."""
    connection, speaking = _alert_with_unread_bytes(lab, client, server, authority, identity)

    lab.step("The client writes more before it reads: the connection is reset, it says.")
    speaking.type("write\n")
    speaking.prints("ECONNRESET")
    connection.client.reaches(CLOSED)


@pytest.mark.phenomenon(
    74,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    lasts="at once",
    settings=("server: read all before closing",),
)
@pytest.mark.cause(
    "client.type", occurrence=1, stands_for="the request that the server never reads"
)
def test_an_alert_is_there_for_who_reads_first(
    lab: Lab, client: Host, server: Host, authority: Authority, *, identity: Identity
) -> None:
    """The same, but Linux keeps what had come before the reset: who reads next learns why."""
    _, speaking = _alert_with_unread_bytes(lab, client, server, authority, identity)

    lab.step("The client reads before it writes: a certificate was required, it says.")
    speaking.type("read\n")
    speaking.prints("CERTIFICATE_REQUIRED")


def _alert_with_unread_bytes(
    lab: Lab, client: Host, server: Host, authority: Authority, identity: Identity
) -> tuple[Connection, Program]:
    """Have a server send an alert, and close while the client's request lies unread."""
    lab.step("A server wants a certificate of the client, which has none (TLS 1.3).")
    lost = client.iptables("-A INPUT -p tcp --tcp-flags PSH PSH -j DROP")
    serving = server.start([sys.executable, SERVER, lab.family, *_files(identity)])
    listener = serving.listens(4433)
    speaking = client.start([sys.executable, CLIENT, str(authority.certificate)])
    connection = speaking.connects(listener)

    lab.step("The server has sent its part, and is held up. For the client the handshake is done.")
    connection.server.retransmits(1)
    serving.send_signal(signal.SIGSTOP)
    lost.delete()
    speaking.prints("handshake done")

    lab.step("So the client sends a request. It lies at the server behind the empty certificate.")
    speaking.type("request\n")
    speaking.prints("sent")
    connection.client.reaches(ESTABLISHED, send_queue=0)

    lab.step("The server reads the first only: an alert, and a close with bytes unread, so RST.")
    serving.send_signal(signal.SIGCONT)
    lab.sees("...\nserver.4433 > client: Flags [R.]")
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)
    return connection, speaking


def _files(identity: Identity) -> tuple[str, str]:
    return str(identity.certificate), str(identity.key)
