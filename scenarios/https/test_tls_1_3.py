"""TLS 1.3 beside it: no secret is sent that the server's key could recover.

Both sides send a Diffie-Hellman share in their hellos; all that follows is encrypted already, the
certificate too. The server's private key only signs.
"""

import pytest

from scenarios.https.authority import Identity
from scenarios.https.conftest import Programs
from sockstates import Host, Lab
from sockstates.tls.decryption import CannotDecrypt, decrypt

pytestmark = pytest.mark.programs("openssl")
HANDSHAKE = """
    client: ClientHello
    server: ServerHello, ChangeCipherSpec, encrypted record
    ...
"""


@pytest.mark.claims("H14")
@pytest.mark.claims("H15", "H16", "H17", "H18", holds=False)
@pytest.mark.parametrize(
    ("server_program", "client_program"),
    [
        pytest.param(
            *("python", "openssl"),
            marks=pytest.mark.cause("client.start", without="-tls1_3", instead="-tls1_2"),
        ),
        pytest.param(
            *("openssl", "python"),
            marks=pytest.mark.cause("client.start", without="TLSv1_3", instead="TLSv1_2"),
        ),
    ],
)
def test_the_server_key_opens_nothing(
    lab: Lab,
    client: Host,
    server: Host,
    programs: Programs,
    identity: Identity,
    *,
    server_program: str,
    client_program: str,
) -> None:
    """TLS 1.3 has no RSA key exchange, and shows no certificate."""
    lab.step("Both programs may speak TLS 1.3, and so they do.")
    serving = programs.serve(server, server_program, identity, version="TLSv1_3", ciphers="DEFAULT")
    listener = serving.listens(4433)
    speaking = programs.connect(client, client_program, version="TLSv1_3", ciphers="DEFAULT")
    connection = speaking.connects(listener)
    talk = connection.sees_tls(HANDSHAKE)
    speaking.type("hello\n")
    speaking.prints("olleh")

    lab.step("The hellos have version, suites, compression and randoms; the keys' shares too.")
    hello, answer = talk.client_hello, talk.server_hello
    lab.figure(
        f"{answer.version_name} was chosen, in an extension; {answer.suite_name}; "
        f"shares of {', '.join(hello.key_shares)}; only {', '.join(m.name for m in talk.messages)} "
        "were in the clear"
    )
    assert "TLS 1.3" in hello.version_names
    assert hello.version == answer.version < answer.chosen_version
    assert answer.cipher_suite in hello.cipher_suites
    assert hello.compression_methods == (0,)
    assert hello.key_shares

    lab.step("Nothing else is in the clear: no certificate, no key exchange, no alert.")
    assert [message.name for message in talk.messages] == ["ClientHello", "ServerHello"]
    assert identity.der not in talk.server.stream.data
    with pytest.raises(CannotDecrypt, match=r"TLS 1\.3 was chosen: no secret is sent"):
        decrypt(talk, identity.key)

    lab.step("What the programs log are not master secrets, but secrets of each direction.")
    lab.figure(f"logged: {', '.join(programs.logged)}")
    assert all("CLIENT_TRAFFIC_SECRET_0" in log for log in programs.logs)
    assert not any("CLIENT_RANDOM" in log for log in programs.logs)


@pytest.mark.claims("H15")
@pytest.mark.claims("H16", "H17", "H18", holds=False)
@pytest.mark.cause(
    "client.start", without="ECDHE-RSA-AES128-GCM-SHA256", instead="AES128-GCM-SHA256"
)
def test_the_server_key_only_signs_where_the_exchange_is_diffie_hellman(
    lab: Lab, client: Host, server: Host, programs: Programs, identity: Identity
) -> None:
    """TLS 1.2 as it is spoken by default: the certificate is seen, and its key opens nothing."""
    lab.step("Both programs speak TLS 1.2, with the suites that Python offers by itself.")
    suites = "ECDHE-RSA-AES128-GCM-SHA256"
    listener = programs.serve(server, "python", identity, ciphers=suites).listens(4433)
    speaking = programs.connect(client, "openssl", ciphers=suites)
    connection = speaking.connects(listener)

    lab.step("ServerKeyExchange has the server's share, ClientKeyExchange the client's.")
    talk = connection.sees_tls("""
        client: ClientHello
        server: ServerHello, Certificate, ServerKeyExchange, ServerHelloDone
        client: ClientKeyExchange, ChangeCipherSpec, Finished
        ...
    """)
    lab.figure(
        f"{talk.server_hello.suite_name}: ClientKeyExchange of "
        f"{len(talk.client_key_exchange.body)} bytes, a share and no premaster secret"
    )
    assert talk.certificates == (identity.der,)
    with pytest.raises(CannotDecrypt, match="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 was chosen"):
        decrypt(talk, identity.key)
