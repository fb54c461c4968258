"""A certificate that does not verify: an alert on the wire, and no key exchange."""

from pathlib import Path

import pytest

from scenarios.https.authority import Authority, Identity
from scenarios.https.conftest import Programs
from sockstates import Host, Lab

pytestmark = [
    pytest.mark.claims("H16"),
    pytest.mark.programs("openssl"),
]


REFUSED = {
    "another name": "bad_certificate",
    "expired": "certificate_expired",
    "unknown issuer": "unknown_ca",
}
"""What is wrong with a certificate for the host "server", and the alert that says so."""


@pytest.fixture(params=REFUSED)
def refused(
    request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
) -> tuple[Identity, str]:
    """A certificate that no client takes for "server", and the alert that says why."""
    folder = tmp_path / "unknown"
    folder.mkdir()
    bad = {
        "another name": authority.issue("other"),
        "expired": authority.issue("server", expired=True),
        "unknown issuer": Authority(folder, "an authority that nobody knows").issue("server"),
    }
    return bad[request.param], REFUSED[request.param]


@pytest.mark.parametrize(
    "client_program",
    [
        pytest.param(
            "openssl", marks=pytest.mark.cause("client.start", without="-verify_return_error")
        ),
        pytest.param(
            "python", marks=pytest.mark.cause("client.start", without="verify", instead="trust")
        ),
    ],
)
def test_a_certificate_that_does_not_verify_ends_the_handshake(
    lab: Lab,
    client: Host,
    server: Host,
    programs: Programs,
    refused: tuple[Identity, str],
    *,
    client_program: str,
) -> None:
    """The client verifies first: it refuses, and has sent no premaster secret."""
    identity, alert = refused
    lab.step("The server has a certificate that does not verify. A client connects.")
    listener = programs.serve(server, "openssl", identity).listens(4433)
    speaking = programs.connect(client, client_program)

    lab.step("The program says why it refuses, and ends.")
    speaking.ends(1)
    speaking.prints("certificate verify failed")

    lab.step("It has answered the certificate with an alert in the clear, and nothing else.")
    talk = listener.sees_tls(f"""
        client: ClientHello
        server: ServerHello, Certificate, ServerHelloDone
        client: alert {alert}
    """)
    lab.figure(f"the client's answer to Certificate: {talk.alerts[0].level_name} alert {alert}")
    assert talk.alerts[0].level_name == "fatal"
