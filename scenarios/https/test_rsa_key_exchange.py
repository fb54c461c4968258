"""TLS 1.2 with RSA key exchange: the handshake of the article, recomputed from the capture.

With the captured bytes and the server's private key alone: the premaster secret, the master
secret, the keys of both directions and what was encrypted with them. Both programs have logged the
master secret too (SSLKEYLOGFILE); it is the same one.
"""

import pytest

from scenarios.https.authority import Identity
from scenarios.https.conftest import RSA_KEY_EXCHANGE, Programs
from sockstates import Host, Lab
from sockstates.tls.decryption import decrypt

pytestmark = [
    pytest.mark.programs("openssl"),
    pytest.mark.cause(
        "client.start",
        without=RSA_KEY_EXCHANGE,
        instead="ECDHE-RSA-AES128-GCM-SHA256",
    ),
]
PAIRS = [("python", "openssl"), ("openssl", "python"), ("openssl", "openssl")]
"""Server and client."""
HANDSHAKE = """
    client: ClientHello
    server: ServerHello, Certificate, ServerHelloDone
    client: ClientKeyExchange, ChangeCipherSpec, Finished
    server: NewSessionTicket, ChangeCipherSpec, Finished
"""
EXCHANGE = f"""{HANDSHAKE}
    client: application data
    server: application data
    ...
"""


@pytest.mark.claims("H14", "H15")
def test_both_hellos_and_the_certificate_are_in_the_clear(
    lab: Lab, client: Host, server: Host, programs: Programs, identity: Identity
) -> None:
    lab.step("A TLS 1.2 server listens; a client connects.")
    listener = programs.serve(server, "openssl", identity).listens(4433)
    connection = programs.connect(client, "openssl").connects(listener)
    talk = connection.sees_tls(HANDSHAKE)

    lab.step("The ClientHello has version, suites, compression methods and the client's random.")
    hello = talk.client_hello
    lab.figure(
        f"ClientHello: {', '.join(hello.version_names)}; {', '.join(hello.suite_names)}; "
        f"compression {hello.compression_methods}; random {hello.random.hex()}"
    )
    assert hello.version_names == ("TLS 1.2",)
    assert hello.suite_names[0] == "TLS_RSA_WITH_AES_128_GCM_SHA256"
    assert hello.compression_methods == (0,), "no compression, RFC 3749's null"

    lab.step("The server answers with a suite of these, its random, and its certificate.")
    answer = talk.server_hello
    lab.figure(
        f"ServerHello: {answer.suite_name}; random {answer.random.hex()}; "
        f"certificate of {len(talk.certificates[0])} octets"
    )
    assert answer.cipher_suite in hello.cipher_suites
    assert answer.random != hello.random
    assert talk.certificates == (identity.der,)


@pytest.mark.claims("H16", "H17", "H18")
@pytest.mark.parametrize(("server_program", "client_program"), PAIRS)
def test_the_server_key_opens_the_capture(
    lab: Lab,
    client: Host,
    server: Host,
    programs: Programs,
    identity: Identity,
    *,
    without_extended_master_secret: dict[str, str],
    server_program: str,
    client_program: str,
) -> None:
    """The session keys come from three random values, one of them encrypted for the server."""
    lab.step("A server without extended master secret; a client connects, and says hello.")
    serving = programs.serve(
        server, server_program, identity, environment=without_extended_master_secret
    )
    listener = serving.listens(4433)
    speaking = programs.connect(client, client_program)
    connection = speaking.connects(listener)
    connection.sees_tls(HANDSHAKE)
    speaking.type("hello\n")
    speaking.prints("olleh")

    lab.step("The client has sent the premaster secret, encrypted for the server's certificate.")
    talk = connection.sees_tls(EXCHANGE)
    lab.figure(f"ClientKeyExchange: {len(talk.encrypted_premaster)} bytes, encrypted with RSA")

    lab.step("The server's private key recovers it; three random values give the master secret.")
    opened = decrypt(talk, identity.key)
    lab.figure(
        f"premaster secret {opened.premaster.hex()} of {len(opened.premaster)} bytes, "
        f"recovered from the capture; master secret {opened.master.hex()}"
    )
    assert opened.master == opened.master_of_randoms
    assert all(opened.key_log_line in log.splitlines() for log in programs.logs)

    lab.step("The keys made of it decrypt all that came after.")
    lab.figure(f"decrypted: {opened.client_data!r} and {opened.server_data!r}")
    assert (opened.client_data, opened.server_data) == (b"hello\n", b"olleh\n")


@pytest.mark.claims("H16", "H17")
@pytest.mark.claims("H18", holds=False)
def test_extended_master_secret_takes_more_than_the_random_values(
    lab: Lab, client: Host, server: Host, programs: Programs, identity: Identity
) -> None:
    """What both have said takes the random values' place, as programs agree by default."""
    lab.step("Both programs as they are; the client says hello.")
    listener = programs.serve(server, "openssl", identity).listens(4433)
    speaking = programs.connect(client, "openssl")
    connection = speaking.connects(listener)
    connection.sees_tls(HANDSHAKE)
    speaking.type("hello\n")
    speaking.prints("olleh")
    talk = connection.sees_tls(EXCHANGE)

    lab.step("The server's key recovers the premaster secret, as before.")
    opened = decrypt(talk, identity.key)
    assert opened.extended, "both hellos have the extension extended_master_secret"
    assert all(opened.key_log_line in log.splitlines() for log in programs.logs)
    assert (opened.client_data, opened.server_data) == (b"hello\n", b"olleh\n")

    lab.step("The three random values alone give another master secret than the one in use.")
    lab.figure(
        f"in use (logged by both) {opened.master.hex()}, from the handshake's hash; "
        f"from the three random values {opened.master_of_randoms.hex()}"
    )
    assert opened.master == opened.extended_master
    assert opened.master != opened.master_of_randoms
