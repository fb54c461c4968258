"""TLS read from segments: hand-made bytes, what is broken, and whatever chance makes of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates import Segment
from sockstates.tls import Conversation, NotSeen, TlsError, conversations, read
from sockstates.tls.hello import RETRY
from tests.tls_octets import (
    CLIENT_RANDOM,
    FINISHED,
    FLIGHT,
    HELLO,
    KEY_EXCHANGE,
    RSA_SUITE,
    certificates,
    client_hello,
    message,
    record,
    rsa_handshake,
    server_hello,
    vector,
)
from tests.tls_talks import CLIENT, SERVER, Flight, in_segments

DATA = record(23, b"x" * 100)
IN_1_3 = {43: b"\x03\x04"}


def said(*flights: Flight, most: int = 1400) -> Conversation:
    return read(in_segments(flights, most), CLIENT, SERVER)


def names(conversation: Conversation) -> list[str]:
    return [each.name for each in conversation.messages]


class TestHandshake:
    def test_all_of_it(self) -> None:
        talk = said(*rsa_handshake(), (True, DATA), (False, DATA))
        assert talk.is_tls
        assert not talk.in_1_3
        assert names(talk) == [
            *("ClientHello", "ServerHello", "Certificate", "CertificateRequest"),
            *("ServerHelloDone", "ClientKeyExchange"),
        ]
        assert talk.messages[0].raw == client_hello()
        assert talk.client_hello.random == CLIENT_RANDOM
        assert talk.server_hello.cipher_suite == RSA_SUITE
        assert talk.server_hello.suite_name == "TLS_RSA_WITH_AES_128_CBC_SHA256"
        assert talk.certificates == (b"the server's" * 30, b"its issuer's" * 60)
        assert talk.encrypted_premaster == b"p" * 256
        assert (talk.client.problem, talk.server.problem) == ("", "")

    def test_numbers_begin_again_with_new_keys(self) -> None:
        talk = said(*rsa_handshake(), (True, DATA + DATA), (True, FINISHED))
        counted = [(each.content_type, each.number, each.encrypted) for each in talk.client.records]
        assert counted == [
            *((22, 0, False), (22, 1, False), (20, 2, False)),
            *((22, 0, True), (23, 1, True), (23, 2, True)),
            *((20, 3, True), (22, 0, True)),
        ]

    def test_a_record_knows_who_carried_it(self) -> None:
        talk = said((True, HELLO), (False, FLIGHT), most=20)
        hello, certificate = talk.client.records[0], talk.server.records[1]
        assert b"".join(each.payload for each in hello.segments) == hello.header + hello.fragment
        assert hello.time == hello.segments[-1].time
        assert certificate.header + certificate.fragment in b"".join(
            each.payload for each in certificate.segments
        )
        assert len(certificate.segments) > 50

    def test_many_messages_in_a_record_and_many_records_for_one(self) -> None:
        flight = server_hello() + certificates(b"c" * 500) + message(14)
        talk = said((True, HELLO), (False, record(22, flight[:90]) + record(22, flight[90:])))
        assert names(talk)[1:] == ["ServerHello", "Certificate", "ServerHelloDone"]
        assert b"".join(each.raw for each in talk.server.messages) == flight
        assert [len(each.records) for each in talk.server.messages] == [1, 2, 1]

    def test_after_a_retry_the_second_hellos_count(self) -> None:
        retry = record(22, server_hello(0x1301, IN_1_3, RETRY))
        second = record(22, client_hello(suites=(0x1301,)))
        answer = record(22, server_hello(0x1301, IN_1_3))
        unread = record(20, b"\x01")
        talk = said((True, HELLO), (False, retry), (True, unread + second), (False, answer))
        assert names(talk) == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]
        assert talk.client_hello.suite_names == ("TLS_AES_128_GCM_SHA256",)
        assert not talk.server_hello.is_retry
        assert talk.in_1_3

    def test_of_two_connections_with_the_same_ports_the_last_is_meant(self) -> None:
        first = list(in_segments(rsa_handshake()))
        later = list(in_segments([(True, HELLO)], start=(90_000, 7000), begin=first[-1].time))
        assert names(read([*first, *later], CLIENT, SERVER)) == ["ClientHello"]
        assert [len(each.messages) for each in conversations([*first, *later])] == [6, 1]


class TestAlerts:
    def test_a_clear_one_is_named(self) -> None:
        talk = said((True, HELLO), (False, FLIGHT), (True, record(21, b"\x02\x30")))
        (alert,) = talk.alerts
        assert (alert.name, alert.level_name) == ("unknown_ca", "fatal")

    def test_an_encrypted_one_is_not(self) -> None:
        talk = said(*rsa_handshake(), (True, record(21, b"\x02\x30" * 9)))
        assert not talk.alerts
        assert talk.client.encrypted[-1].name == "alert"

    def test_one_without_a_name_is_a_number(self) -> None:
        talk = said((True, HELLO), (False, record(21, b"\x09\xee")))
        assert (talk.alerts[0].name, talk.alerts[0].level_name) == ("238", "9")


def test_hellos_without_names_for_their_numbers() -> None:
    offers = {
        0: vector(2, b"\0" + vector(2, b"server")),
        10: vector(2, b"\x00\x1d\x1a\x1a"),
        13: vector(2, b"\x04\x01"),
        16: vector(2, vector(1, b"h2") + vector(1, b"http/1.1")),
        43: vector(1, b"\x03\x04\x03\x03\x7f\x1c"),
        51: vector(2, b"\x00\x1d" + vector(2, b"k" * 32)),
        0x1A1A: b"",
    }
    offer = said((True, record(22, client_hello((0x1301, 0x1A1A), offers)))).client_hello
    assert offer.suite_names == ("TLS_AES_128_GCM_SHA256", "0x1A1A")
    assert offer.server_name == "server"
    assert offer.supported_groups == ("x25519", "0x1A1A")
    assert offer.signature_algorithms == ("rsa_pkcs1_sha256",)
    assert offer.alpn == ("h2", "http/1.1")
    assert offer.version_names == ("TLS 1.3", "TLS 1.2", "0x7F1C")
    assert offer.key_shares == ("x25519",)
    assert offer.extension_names[-1] == "0x1A1A"


class TestWhatIsNotThere:
    """What is asked for and is not in the capture is said by name, with the reason."""

    def refused(self, segments: Iterator[Segment] | list[Segment], what: str) -> str:
        with pytest.raises(NotSeen) as refusal:
            getattr(read(segments, CLIENT, SERVER), what)
        return str(refusal.value)

    def test_no_such_connection(self) -> None:
        with pytest.raises(NotSeen, match=r"no segment between 10\.0\.0\.1\.43210 and 10\.0\.0\.2"):
            read([], CLIENT, SERVER)

    def test_nobody_said_anything(self) -> None:
        why = self.refused(in_segments([]), "client_hello")
        assert why == "the capture has no clear ClientHello from 10.0.0.1.43210: it sent nothing"

    def test_it_is_not_tls(self) -> None:
        request = [(True, b"GET / HTTP/1.1\r\n\r\n")]
        why = self.refused(in_segments(request), "client_hello")
        assert "no TLS record begins at byte 0 of the stream: 47 45 54 20 2f" in why
        assert not conversations(list(in_segments(request)))

    def test_the_capture_began_in_the_middle(self) -> None:
        segments = list(in_segments([(True, HELLO + DATA), (True, DATA)], 30))[6:]
        why = self.refused(segments, "client_hello")
        assert "the capture began in the middle; no TLS record begins at byte 0" in why

    def test_the_capture_began_after_the_handshake(self) -> None:
        segments = list(in_segments([*rsa_handshake(), (True, DATA)]))[-1:]
        why = self.refused(segments, "client_hello")
        assert "the capture began in the middle; the hello is missing" in why

    def test_segments_are_missing(self) -> None:
        segments = list(in_segments([(True, HELLO), (False, FLIGHT)], 100))
        del segments[8]
        why = self.refused(segments, "certificates")
        assert "the record at byte" in why
        assert "bytes 400 to 499 of the stream are not in the capture" in why

    def test_the_capture_kept_too_little_of_each_frame(self) -> None:
        segments = [
            replace(each, payload=each.payload[:30], missing=max(0, len(each.payload) - 30))
            for each in in_segments([(True, HELLO), (False, FLIGHT)])
        ]
        why = self.refused(segments, "server_hello")
        assert "the capture kept only a part of the segment with byte 30 of the stream" in why

    def test_the_capture_ends_within_a_message(self) -> None:
        long = certificates(b"c" * 500)
        why = self.refused(in_segments([(False, record(22, long[:90]))]), "certificates")
        assert "Certificate is cut off after 90 of 510 bytes: its rest is not in the capture" in why
        why = self.refused(in_segments([(False, record(22, long)[:90])]), "certificates")
        assert (
            "the record at byte 0 of the stream is cut off: 90 of its bytes are there, of 515"
            in why
        )

    def test_the_handshake_went_another_way(self) -> None:
        why = self.refused(in_segments([(True, HELLO), (False, FLIGHT)]), "client_key_exchange")
        assert why.endswith("no clear ClientKeyExchange from 10.0.0.1.43210: it sent ClientHello")
        other = record(22, server_hello(0xC02F))
        why = self.refused(in_segments([(True, HELLO), (False, other)]), "encrypted_premaster")
        assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 has no RSA key exchange" in why

    def test_tls_1_3_hides_it(self) -> None:
        answer = record(22, server_hello(0x1301, IN_1_3)) + DATA
        why = self.refused(in_segments([(True, HELLO), (False, answer)]), "certificates")
        assert "TLS 1.3 encrypts all that comes after ServerHello" in why


class TestWhatContradictsItself:
    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (bytes(22), "ClientHello: random needs 32 bytes; 20 are left"),
            (bytes(34) + b"\xff", "ClientHello: session_id needs 255 bytes; 0 are left"),
            (bytes(35) + b"\0\x03abc", "ClientHello: cipher_suites: a cipher suite needs 2 bytes"),
            (client_hello()[4:] + b"\0\0more", "ClientHello: 4 bytes are left at its end"),
            (
                client_hello()[4:] + b"\0\x03abc",
                "ClientHello: extensions: the length of an extension",
            ),
        ],
    )
    def test_a_hello(self, body: bytes, why: str) -> None:
        talk = said((True, record(22, message(1, body))))
        with pytest.raises(TlsError, match=why):
            _ = talk.client_hello

    def test_a_record_that_is_too_long(self) -> None:
        talk = said((True, HELLO + b"\x17\x03\x03\xff\xff" + bytes(70_000)))
        assert "says it has 65535 bytes; 18432 are the most" in talk.client.problem
        assert names(talk) == ["ClientHello"]

    def test_a_message_torn_by_another_record(self) -> None:
        torn = record(22, certificates(b"c" * 500)[:90]) + record(21, b"\x01\x00")
        talk = said((True, HELLO), (False, torn))
        assert talk.server.problem.endswith("a record of alert comes in its middle")


def everything(talk: Conversation) -> Iterator[object]:
    """All that may be asked; what may be refused is."""
    for each in ("client_hello", "server_hello", "certificates", "encrypted_premaster"):
        try:
            one = getattr(talk, each)
        except TlsError:
            continue
        for name in (*type(one).__dict__, "alpn", "supported_versions"):
            if not name.startswith("_"):
                try:
                    yield getattr(one, name, None)
                except TlsError:
                    continue


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200))), st.integers(1, 50))
def test_whatever_comes_nothing_else_is_raised(flights: list[Flight], most: int) -> None:
    segments = list(in_segments(flights, most))
    list(everything(read(segments, CLIENT, SERVER)))
    conversations(segments)


@given(st.data())
def test_a_capture_that_was_tampered_with(data: st.DataObject) -> None:
    segments = list(in_segments([*rsa_handshake(), (True, DATA), (False, DATA)], 150))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(segments) - 1))
        each = segments[place]
        octet = data.draw(st.integers(0, max(len(each.payload) - 1, 0)))
        changed = each.payload[:octet] + data.draw(st.binary(min_size=1, max_size=3))
        segments[place] = data.draw(
            st.sampled_from(
                [
                    replace(each, payload=changed + each.payload[octet + 1 :]),
                    replace(each, payload=each.payload[:octet], missing=len(each.payload) - octet),
                    replace(each, sequence=(each.sequence + octet - 70) % 2**32),
                    segments[octet % len(segments)],
                ]
            )
        )
    talk = read(segments, CLIENT, SERVER)
    list(everything(talk))
    conversations(segments)
    for spoken in (talk.client, talk.server):
        whole = b"".join(each.header + each.fragment for each in spoken.records)
        assert spoken.stream.data.startswith(whole)


def test_other_traffic_costs_a_look_at_its_first_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a stream that is not TLS was followed")

    monkeypatch.setattr("sockstates.tcp.following.Following.of", refuse)
    quiet = [(True, b"GET / HTTP/1.1\r\n\r\n"), *[(False, bytes(100))] * 5, (False, HELLO)]
    assert conversations(list(in_segments(quiet))) == []
    with pytest.raises(AssertionError, match="was followed"):
        conversations(list(in_segments([(True, HELLO)])))


def test_it_is_found_where_the_first_segments_were_overtaken() -> None:
    segments = list(in_segments([(True, HELLO + KEY_EXCHANGE)], 20))
    segments[3:6] = segments[3:6][::-1]
    (talk,) = conversations(segments)
    assert names(talk) == ["ClientHello", "ClientKeyExchange"]
