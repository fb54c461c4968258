"""TLS on the segments of every report; and nothing of it where no stream is TLS."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from sockstates import Segment
from sockstates.__main__ import main
from sockstates.report.html.page import scenario_page
from sockstates.report.text import ladder, text_timeline
from sockstates.report.tls_words import tls_words
from sockstates.tls.hello import RETRY
from tests.report_samples import result_of, sampled_story
from tests.test_tls import DATA, IN_1_3
from tests.tls_octets import (
    FINISHED,
    FLIGHT,
    HELLO,
    RSA_SUITE,
    certificates,
    client_hello,
    message,
    record,
    rsa_handshake,
    server_hello,
    tls_story,
    vector,
)
from tests.tls_talks import Flight, in_segments, write_pcap

LADDER = """\
  0.005000  |---- [P.] seq 1:51, ack 1, length 50, TLS ClientHello ----x lost  |
  0.006000  |---- [P.] seq 1:51, ack 1, length 50, again, TLS ClientHello ---->|
  0.007000  |<--- [P.] seq 1:1001, ack 51, length 1000, TLS ServerHello -------|
  0.008000  |<--- [P.] seq 1001:1164, ack 51, length 163 ----------------------|
            |     TLS Certificate, CertificateRequest, ServerHelloDone         |
  0.009000  |---- [P.] seq 51:393, ack 1164, length 342 ---------------------->|
            |     TLS ClientKeyExchange, ChangeCipherSpec, Finished            |
  0.010000  |<--- [P.] seq 1164:1239, ack 393, length 75 ----------------------|
            |     TLS ChangeCipherSpec, Finished                               |
  0.011000  |---- [P.] seq 393:1098, ack 1239, TLS application data ---------->|
  0.012000  |<--- [P.] seq 1239:2239, ack 1098, length 1000 -------------------|
  0.013000  |<--- [P.] seq 2239:3239, ack 1098, length 1000 -------------------|
  0.014000  |<--- [P.] seq 3239:3313, ack 1098, length 74 ---------------------|
            |     TLS application data, alert (encrypted)                      |
"""
SUITE = "TLS_RSA_WITH_AES_128_CBC_SHA256"
OFFER = (
    f"ClientHello offers TLS 1.2, 1 cipher suite ({SUITE} first), compression none, "
    "random 0001020304050607…"
)
CHOICE = f"ServerHello chooses TLS 1.2, {SUITE}, random 2021222324252627…"
SIZES = "2 certificates of 360 and 720 octets"


def words(*flights: Flight, most: int = 1400) -> list[str]:
    """What the segments after TCP's handshake say, in order; empty where one says nothing."""
    segments = list(in_segments(flights, most))
    found = tls_words(segments)
    return [found[place].words if place in found else "" for place in range(3, len(segments))]


def test_the_ladder_names_what_ends_in_a_segment() -> None:
    text = ladder(tls_story())
    assert LADDER in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [60, 71, 80, 100, 140])
def test_the_ladder_has_all_words_in_any_width(width: int) -> None:
    text = ladder(tls_story(), width=width)
    assert max(map(len, text.splitlines())) <= width
    joined = " ".join(re.sub(r"[-|<>]", " ", text).split())
    for each in tls_words(tls_story().wire).values():
        assert each.words in joined


def test_a_timeline_line_by_line() -> None:
    text = text_timeline(tls_story())
    assert text.count(f"length 50  [TLS ClientHello; {OFFER}]") == 2
    assert f"length 50  [TLS ClientHello; {OFFER}]  [lost on the way]" in text
    assert f"[TLS ServerHello; {CHOICE}]" in text
    assert f"Request, ServerHelloDone; {SIZES}]" in text


def test_the_page() -> None:
    timeline = tls_story()
    text = scenario_page(timeline, result_of(timeline), {}, [])
    spoken = re.findall(r'<text [^>]*class="words tls">(.*?)</text>', text)
    assert " ".join(spoken).count("TLS") == len(tls_words(timeline.wire)) + 1, "and the legend's"
    below = spoken.index("ServerHelloDone")
    assert spoken[below + 1] == "TLS Certificate, CertificateRequest,", "drawn upwards"
    flight = "TLS Certificate, CertificateRequest, ServerHelloDone"
    assert f'class="mark tls" title="{flight}; {SIZES}">{flight}</span>' in text
    assert f"({flight}; {SIZES})  (captured at its destination" in text
    assert f"(TLS ClientHello; {OFFER})  (again" in text


def test_other_traffic_has_nothing_of_it() -> None:
    timeline = sampled_story()
    page = scenario_page(timeline, result_of(timeline), {}, []).partition("</style>")[2]
    for text in (ladder(timeline), text_timeline(timeline), page):
        assert not re.search(r"\bTLS\b|\btls\b", text)


def test_a_capture_from_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pcap(tmp_path / "capture", in_segments([*rsa_handshake(), (True, DATA)]))
    assert main(["show", str(path), "--width", "80"]) == 0
    text = capsys.readouterr().out
    assert "TLS ServerHello, Certificate, CertificateRequest" in text
    assert ", TLS application data ---" in text


def test_a_record_is_named_where_it_ends() -> None:
    assert words((True, HELLO), most=20) == ["", "", "TLS ClientHello"]
    flight = record(22, server_hello()) + record(22, certificates(b"c" * 40))
    assert words((True, HELLO), (False, flight))[1:] == ["TLS ServerHello, Certificate"]


def test_what_was_sent_again_says_it_again() -> None:
    segments = list(in_segments([(True, HELLO), (False, FLIGHT)]))
    again = [*segments[:4], segments[3], *segments[4:]]
    found = tls_words(again)
    assert [found[place].words for place in (3, 4)] == ["TLS ClientHello"] * 2


def test_tls_1_3_hides_what_it_encrypts() -> None:
    answer = record(22, server_hello(0x1301, IN_1_3)) + record(20, b"\x01") + DATA * 3
    finished = record(20, b"\x01") + DATA
    assert words((True, HELLO), (False, answer), (True, finished), (True, DATA)) == [
        "TLS ClientHello",
        "TLS ServerHello, ChangeCipherSpec, 3 encrypted records",
        "TLS ChangeCipherSpec, encrypted record",
        "TLS encrypted record",
    ]


def test_alerts_and_what_else_there_is() -> None:
    first = [(True, HELLO), (False, FLIGHT)]
    assert words(*first, (True, record(21, b"\x02\x30")))[2:] == ["TLS alert unknown_ca"]
    assert words(*first, (True, record(21, b"\x01\x70")))[2:] == [
        "TLS alert unrecognized_name (warning)"
    ]
    assert words(*first, (True, FINISHED + record(22, b"again")))[2:] == [
        "TLS ChangeCipherSpec, Finished, handshake message (encrypted)"
    ]
    assert words(*first, (True, DATA * 2))[2:] == ["TLS application data (2 records)"]
    long = certificates(b"c" * 500)
    parts = record(22, long[:90]), record(22, long[90:])
    assert words((True, HELLO), (False, parts[0]), (False, parts[1]))[1:] == [
        *("TLS part of Certificate", "TLS Certificate")
    ]
    assert words((True, HELLO), (False, parts[0]))[1:] == ["TLS part of a handshake message"]


def test_a_server_that_does_not_speak_tls() -> None:
    assert words((True, HELLO), (False, b"HTTP/1.1 400 Bad Request\r\n")) == ["TLS ClientHello", ""]


def test_what_is_in_a_hello() -> None:
    offers = {0: vector(2, b"\0" + vector(2, b"server")), 16: vector(2, vector(1, b"h2"))}
    suites = (0x1301, RSA_SUITE)
    hello = record(22, client_hello(suites, offers | {43: vector(1, b"\x03\x04\x03\x03")}))
    retry = record(22, server_hello(0x1301, IN_1_3, RETRY))
    broken = record(22, message(11, b"\0\0\x09c"))
    found = tls_words(list(in_segments([(True, hello), (False, retry + broken)])))
    assert found[3].details == (
        "TLS ClientHello; ClientHello offers TLS 1.3 or TLS 1.2, 2 cipher suites "
        "(TLS_AES_128_GCM_SHA256 first), compression none, random 0001020304050607…, "
        "for server, to speak h2"
    )
    assert found[4].details == (
        "TLS HelloRetryRequest, Certificate; HelloRetryRequest chooses TLS 1.3, "
        "TLS_AES_128_GCM_SHA256; broken, Certificate: certificate_list needs 9 bytes; 1 are left"
    )


class TestWhatCannotBeRead:
    def remarks(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], segments: Iterable[Segment]
    ) -> str:
        assert main(["show", str(write_pcap(tmp_path / "capture", segments))]) == 0
        lines = capsys.readouterr().out.splitlines()
        return " ".join(line.lstrip("! ") for line in lines[: lines.index("")])

    def test_a_hole(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        segments = list(in_segments([(True, HELLO), (False, FLIGHT)], 100))
        del segments[8]
        text = self.remarks(tmp_path, capsys, segments)
        assert "the TLS that 10.0.0.2.4443 sends cannot be read on: the record at byte" in text
        assert "are not in the capture" in text
        assert "10.0.0.1.43210 sends" not in text

    def test_an_answer_that_is_not_tls(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer = (False, b"HTTP/1.1 400 Bad Request")
        text = self.remarks(tmp_path, capsys, in_segments([(True, HELLO), answer]))
        assert "no TLS record begins at byte 0 of the stream: 48 54 54 50 2f" in text

    def test_an_end_within_a_record_is_nothing_to_remark(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        segments = list(in_segments([(True, HELLO), (False, FLIGHT)], 100))
        assert "TLS" not in self.remarks(tmp_path, capsys, segments[:-2])
