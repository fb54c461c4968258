"""Keys from the bytes and the server's private key: judged by OpenSSL's key log, and by tshark."""

import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sockstates import Segment
from sockstates.tls import read
from sockstates.tls.decryption import CannotDecrypt, Decrypted, decrypt
from sockstates.tls.keys import SUITES, prf
from sockstates.tls.records import CHANGE_CIPHER_SPEC
from tests.tls_talks import (
    CLIENT,
    SERVER,
    TLS_1_2,
    TLS_1_3,
    contexts,
    in_segments,
    make_certificate,
    talk,
    write_key,
    write_pcap,
)

NO_EXTENDED_MASTER_SECRET, NO_ENCRYPT_THEN_MAC = 1 << 0, 1 << 19
"""Options of OpenSSL's ssl.h that Python has no names for."""
OPENSSL_NAMES = {
    "AES128-SHA": 0x002F,
    "AES256-SHA": 0x0035,
    "AES128-SHA256": 0x003C,
    "AES256-SHA256": 0x003D,
    "AES128-GCM-SHA256": 0x009C,
    "AES256-GCM-SHA384": 0x009D,
}
RSA = "AES128-GCM-SHA256"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("another"))


def opened(certificate: tuple[Path, Path], log: Path, name: str, options: int = 0) -> Decrypted:
    client, server = contexts(certificate, TLS_1_2, f"{name}:@SECLEVEL=0")
    client.options |= options
    client.keylog_filename = str(log)
    conversation = read(in_segments(talk(client, server, b"hello" * 9000)), CLIENT, SERVER)
    return decrypt(conversation, certificate[1])


@pytest.mark.parametrize("name", OPENSSL_NAMES)
@pytest.mark.parametrize("extended", [True, False])
def test_the_master_secret_is_the_one_that_openssl_logs(
    certificate: tuple[Path, Path], tmp_path: Path, name: str, extended: bool
) -> None:
    log = tmp_path / "log"
    found = opened(certificate, log, name, 0 if extended else NO_EXTENDED_MASTER_SECRET)
    assert found.suite == SUITES[OPENSSL_NAMES[name]]
    assert found.extended is extended
    assert found.key_log_line in log.read_text().splitlines()
    assert {found.master_of_randoms, found.extended_master} > {found.master}
    assert found.client_data == b"hello" * 9000
    assert found.server_data == b"HELLO" * 9000


@pytest.mark.parametrize("name", ["AES128-SHA", "AES256-SHA256"])
def test_cbc_with_its_mac_inside(certificate: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    found = opened(certificate, tmp_path / "log", name, NO_ENCRYPT_THEN_MAC)
    assert not found.conversation.server_hello.encrypt_then_mac
    assert (found.client_data, found.server_data) == (b"hello" * 9000, b"HELLO" * 9000)


@pytest.mark.programs("tshark")
@pytest.mark.parametrize("name", OPENSSL_NAMES)
def test_tshark_decrypts_with_our_key_log_line(
    certificate: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    client, server = contexts(certificate, TLS_1_2, f"{name}:@SECLEVEL=0")
    segments = list(in_segments(talk(client, server, b"hello tshark")))
    found = decrypt(read(segments, CLIENT, SERVER), certificate[1])
    log = tmp_path / "log"
    log.write_text(found.key_log_line + "\n")
    capture = write_pcap(tmp_path / "capture.pcap", segments)
    command = ["tshark", "-r", str(capture), "-o", f"tls.keylog_file:{log}"]
    command += ["-d", f"tcp.port=={SERVER.port},tls", "-z", "follow,tls,ascii,0", "-q"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.client_data.decode() in shown
    assert found.server_data.decode() in shown


@pytest.mark.programs("openssl")
def test_the_pseudorandom_function_gives_what_is_known_of_it() -> None:
    """The vector for SHA-256 of the IETF's TLS mailing list, and OpenSSL's own function."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    made = prf(SUITES[0x009C], secret, b"test label", seed, 100)
    assert made.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
    options = ["digest:SHA256", f"hexsecret:{secret.hex()}", "seed:test label"]
    command = ["openssl", "kdf", "-binary", "-keylen", "100"]
    command += [word for each in (*options, f"hexseed:{seed.hex()}") for word in ("-kdfopt", each)]
    judged = subprocess.run([*command, "TLS1-PRF"], capture_output=True, check=True).stdout
    assert made == judged


def segments_of(
    certificate: tuple[Path, Path], version: ssl.TLSVersion = TLS_1_2, ciphers: str = RSA
) -> list[Segment]:
    return list(in_segments(talk(*contexts(certificate, version, ciphers), b"hello")))


def refusal(segments: list[Segment], key: Path) -> str:
    with pytest.raises(CannotDecrypt) as refused:
        decrypt(read(segments, CLIENT, SERVER), key)
    return str(refused.value)


def test_a_key_that_does_not_fit_the_certificate(
    certificate: tuple[Path, Path], another: tuple[Path, Path]
) -> None:
    text = refusal(segments_of(certificate), another[1])
    assert "key.pem does not fit the certificate that the server has shown" in text
    assert "it is for CN=server, and another public key is in it" in text
    assert "Give the private key that the server has been started with" in text


def test_a_capture_without_the_handshake(certificate: tuple[Path, Path]) -> None:
    """Begun when the first data came; begun within the handshake; ended within it."""
    segments = segments_of(certificate)
    talked = read(segments, CLIENT, SERVER)
    position = talked.client.encrypted[-1].position
    assert "the handshake is not whole in the capture" in refusal(
        segments[position:], certificate[1]
    )
    hello = talked.messages[0].position
    text = refusal(segments[hello + 1 :], certificate[1])
    assert "no clear ClientHello" in text
    assert "Capture from the connection's beginning" in text
    text = refusal(segments[: talked.client_key_exchange.position], certificate[1])
    assert "no clear ClientKeyExchange" in text


def test_a_key_exchange_that_sends_no_secret(certificate: tuple[Path, Path]) -> None:
    text = refusal(segments_of(certificate, ciphers="ECDHE-RSA-AES128-GCM-SHA256"), certificate[1])
    assert text.startswith("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 was chosen; what can be")
    assert "SSLKEYLOGFILE=FILE" in text
    text = refusal(segments_of(certificate, TLS_1_3, ""), certificate[1])
    assert text.startswith("TLS 1.3 was chosen: no secret is sent")


def test_a_resumed_session(certificate: tuple[Path, Path]) -> None:
    client, server = contexts(certificate, TLS_1_2, RSA)
    sessions: list[ssl.SSLSession] = []
    talk(client, server, b"hello", resumes=sessions)
    resumed = talk(client, server, b"hello", resumes=sessions)
    text = refusal(list(in_segments(resumed)), certificate[1])
    assert text.startswith("the session was resumed: its master secret is that of an earlier")


def test_a_file_that_is_no_rsa_key(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    segments = segments_of(certificate)
    assert "is not a private key in PEM" in refusal(segments, certificate[0])
    elliptic = write_key(tmp_path / "elliptic.pem", ec.generate_private_key(ec.SECP256R1()))
    assert "is no RSA key" in refusal(segments, elliptic)


def test_what_was_changed_on_its_way(certificate: tuple[Path, Path]) -> None:
    """A premaster secret of other bytes, and a protected record of other bytes."""
    segments = segments_of(certificate)
    talked = read(segments, CLIENT, SERVER)
    exchange = talked.client_key_exchange.position
    assert "no premaster secret" in refusal(changed(segments, exchange, 20), certificate[1])
    data = talked.client.encrypted[1].position
    found = decrypt(read(changed(segments, data, -1), CLIENT, SERVER), certificate[1])
    assert found.server_records
    with pytest.raises(CannotDecrypt, match="record 1 that the client encrypted cannot be read"):
        _ = found.client_data


def changed(segments: list[Segment], position: int, octet: int) -> list[Segment]:
    payload = bytearray(segments[position].payload)
    payload[octet] ^= 1
    new = replace(segments[position], payload=bytes(payload))
    return [*segments[:position], new, *segments[position + 1 :]]


def test_both_finish_their_handshakes_encrypted(certificate: tuple[Path, Path]) -> None:
    segments = segments_of(certificate)
    found = decrypt(read(segments, CLIENT, SERVER), certificate[1])
    for records, spoken in (
        (found.client_records, found.conversation.client),
        (found.server_records, found.conversation.server),
    ):
        change = next(r for r in spoken.records if r.content_type == CHANGE_CIPHER_SPEC)
        assert records[0].record.start == change.end
        assert records[0].content[:4] == b"\x14\0\0\x0c"
