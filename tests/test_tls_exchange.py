"""What both sides said in TLS, against a script of it, and what is said where they differ."""

from pathlib import Path

import pytest

from sockstates.tls import read
from sockstates.tls.exchange import Said, exchange, parse_script, script_text
from tests.tls_talks import (
    CLIENT,
    RSA,
    SERVER,
    TLS_1_2,
    TLS_1_3,
    contexts,
    in_segments,
    make_certificate,
    talk,
)

IN_1_2 = """
    client: ClientHello
    server: ServerHello, Certificate, ServerHelloDone
    client: ClientKeyExchange, ChangeCipherSpec, Finished
    server: NewSessionTicket, ChangeCipherSpec, Finished
    client: application data
    server: application data
    client: alert (encrypted)
    server: alert (encrypted)
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("most", [1, 1400])
def test_a_talk_in_tls_1_2_as_a_script(certificate: tuple[Path, Path], most: int) -> None:
    flights = talk(*contexts(certificate, TLS_1_2, RSA), b"hello")
    said = exchange(read(in_segments(flights, most), CLIENT, SERVER))
    script = parse_script(IN_1_2)
    assert script.holds(said)
    assert script.difference(said) == ""
    assert script_text(said) == [line.strip() for line in IN_1_2.strip().splitlines()]


def test_tls_1_3_hides_what_its_records_are(certificate: tuple[Path, Path]) -> None:
    flights = talk(*contexts(certificate, TLS_1_3), b"hello")
    said = exchange(read(in_segments(flights), CLIENT, SERVER))
    begin = "client: ClientHello\nserver: ServerHello, ChangeCipherSpec, encrypted record\n..."
    assert parse_script(begin).holds(said)
    assert {each.what for each in said} == {
        *("ClientHello", "ServerHello", "ChangeCipherSpec", "encrypted record")
    }


def test_an_alert_is_said_by_name(certificate: tuple[Path, Path]) -> None:
    flights = talk(*contexts(certificate, TLS_1_2, RSA), name="other")
    said = exchange(read(in_segments(flights), CLIENT, SERVER))
    assert said[-1] == Said("client", "alert bad_certificate")


HELLO, ANSWER = Said("client", "ClientHello"), Said("server", "ServerHello")


@pytest.mark.parametrize(
    ("text", "said", "difference"),
    [
        ("client: ClientHello", (), "at number 1: expected client: ClientHello, seen nothing more"),
        (
            "client: ClientHello",
            (HELLO, ANSWER),
            "at number 2: expected nothing more, seen server: ServerHello",
        ),
        ("client: ClientHello\n...", (HELLO, ANSWER), ""),
        (
            "client: ClientHello\nserver: Certificate\n...",
            (HELLO, ANSWER),
            "at number 2: expected server: Certificate, seen server: ServerHello",
        ),
    ],
)
def test_where_the_two_part(text: str, said: tuple[Said, ...], difference: str) -> None:
    script = parse_script(text)
    assert script.difference(said) == difference
    assert script.holds(said) is (difference == "")


@pytest.mark.parametrize(
    "text", ["ClientHello", "peer: ClientHello", "client:", "client: A,,B", "...\nclient: A"]
)
def test_a_line_that_is_none_is_said(text: str) -> None:
    with pytest.raises(
        ValueError, match="is not a line of a TLS exchange; write client: ClientHello"
    ):
        parse_script(text)
