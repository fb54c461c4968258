"""nginx and curl over TLS 1.2 with RSA key exchange, opened with nginx's private key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scenarios.https.authority import Authority, Identity
from sockstates import Host, Lab
from sockstates.tls.decryption import decrypt

pytestmark = pytest.mark.programs("nginx", "curl")
UNVERIFIED = pytest.mark.cause("client.start", without="curl", instead="curl --insecure")
HTTPS = """
    server {{
        listen 443 ssl;
        listen [::]:443 ssl;
        ssl_protocols TLSv1.2;
        ssl_ciphers AES128-GCM-SHA256;
        ssl_session_tickets off;
        ssl_certificate {identity.certificate};
        ssl_certificate_key {identity.key};
        location / {{ return 200 "hello"; }}
    }}
"""
HANDSHAKE = """
    client: ClientHello
    server: ServerHello, Certificate, ServerHelloDone
    client: ClientKeyExchange, ChangeCipherSpec, Finished
    server: ChangeCipherSpec, Finished
"""


@pytest.fixture
def curl(authority: Authority) -> str:
    """The command that asks the server, and trusts the authority."""
    return f"curl --silent --show-error --cacert {authority.certificate} https://server/"


@pytest.mark.claims("H14", "H15", "H16", "H17")
@pytest.mark.claims("H18", holds=False)
@pytest.mark.cause(
    "client.start", without="curl", instead="curl --ciphers ECDHE-RSA-AES128-GCM-SHA256"
)
def test_the_page_is_read_with_the_key_of_nginx(
    lab: Lab,
    client: Host,
    server: Host,
    tmp_path: Path,
    *,
    nginx: Callable[[str], str],
    curl: str,
    identity: Identity,
) -> None:
    """Request and page, read from the capture with nginx's private key."""
    lab.step("nginx serves one page; curl asks for it.")
    listener = server.start(nginx(HTTPS.format(identity=identity))).listens(443)
    log = tmp_path / "curl.keys"
    asking = client.start(curl, environment={"SSLKEYLOGFILE": str(log)})
    asking.ends(0)
    asking.prints("hello")

    lab.step("Of all that curl offers nginx has chosen RSA key exchange.")
    talk = listener.sees_tls(f"{HANDSHAKE}\nclient: application data\n...")
    hello, answer = talk.client_hello, talk.server_hello
    lab.figure(
        f"curl offers {', '.join(hello.version_names)} and {len(hello.cipher_suites)} suites, "
        f"compression {hello.compression_methods}; nginx answers {answer.suite_name}"
    )
    assert answer.cipher_suite in hello.cipher_suites
    assert talk.certificates == (identity.der,)

    lab.step("nginx's private key opens the request and the page; curl has logged the same keys.")
    opened = decrypt(talk, identity.key)
    request, page = opened.client_data.decode(), opened.server_data.decode()
    lab.figure(
        f"premaster secret of {len(opened.premaster)} bytes, recovered; decrypted: "
        f"{request.splitlines()[0]!r}, {page.splitlines()[0]!r}"
    )
    assert opened.key_log_line in log.read_text().splitlines()
    assert request.startswith("GET / HTTP/1.1\r\nHost: server\r\n")
    assert page.endswith("\r\n\r\nhello")
    assert opened.extended, "nginx and curl derive from the whole handshake (RFC 7627)"
    assert opened.master != opened.master_of_randoms
    lab.figure(
        f"master secret {opened.master.hex()}, as curl has logged it; the three random values "
        f"alone give {opened.master_of_randoms.hex()}"
    )


@UNVERIFIED
@pytest.mark.claims("H16", holds=False)
def test_curl_verifies_the_name_after_the_key_exchange(
    lab: Lab,
    client: Host,
    server: Host,
    authority: Authority,
    *,
    nginx: Callable[[str], str],
    curl: str,
) -> None:
    """A certificate for another name ends nothing in the handshake: curl looks when it is over."""
    lab.step("nginx has a good certificate, for another host.")
    listener = server.start(nginx(HTTPS.format(identity=authority.issue("other")))).listens(443)
    asking = client.start(curl)

    lab.step("curl says that the name is another one, and ends.")
    asking.ends(60)
    asking.prints("no alternative certificate subject name matches target host name 'server'")

    lab.step("But it has sent the premaster secret, and finished the handshake, before it looked.")
    talk = listener.sees_tls(f"{HANDSHAKE}\nclient: alert (encrypted)\n...")
    lab.figure(
        f"curl sent {', '.join(each.name for each in talk.client.messages)}, and after the "
        "handshake an encrypted alert"
    )


@UNVERIFIED
@pytest.mark.claims("H16")
def test_curl_verifies_the_rest_before_the_key_exchange(
    lab: Lab,
    client: Host,
    server: Host,
    authority: Authority,
    *,
    nginx: Callable[[str], str],
    curl: str,
) -> None:
    """An expired certificate ends the handshake: an alert, and no premaster secret."""
    lab.step("nginx has a certificate that ended yesterday.")
    listener = server.start(
        nginx(HTTPS.format(identity=authority.issue("server", expired=True)))
    ).listens(443)
    asking = client.start(curl)

    lab.step("curl refuses it, and has sent no premaster secret.")
    asking.ends(60)
    asking.prints("certificate has expired")
    talk = listener.sees_tls("""
        client: ClientHello
        server: ServerHello, Certificate, ServerHelloDone
        client: alert certificate_expired
    """)
    lab.figure(f"curl's answer to Certificate: alert {talk.alerts[0].name}")
