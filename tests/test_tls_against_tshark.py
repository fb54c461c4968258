"""tshark judges how TLS is read: OpenSSL's own bytes in segments of many sizes and orders.

SOCKSTATES_CAPTURES names a folder: every capture below it is compared too.
"""

import random
from pathlib import Path

import pytest

from sockstates import Segment
from sockstates.tls import read
from tests.judge_tls import ALERT, compared, facts, judged
from tests.real_captures import over_real_captures, real_captures
from tests.tls_talks import (
    CLIENT,
    RSA,
    SERVER,
    TLS_1_2,
    TLS_1_3,
    Flight,
    contexts,
    in_segments,
    make_certificate,
    talk,
    write_pcap,
)

pytestmark = pytest.mark.programs("tshark")
TALKS = {"rsa": (TLS_1_2, RSA), "1.2": (TLS_1_2, ""), "1.3": (TLS_1_3, "")}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module", params=TALKS)
def flights(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> list[Flight]:
    return talk(*contexts(certificate, *TALKS[request.param]), b"hello")


def compare(path: Path, segments: list[Segment]) -> None:
    ours, theirs = facts(read(segments, CLIENT, SERVER)), judged(write_pcap(path, segments))
    assert len(ours) >= 3
    assert ours == theirs


@pytest.mark.parametrize("most", [1, 7, 100, 1400])
def test_tshark_reads_the_same(tmp_path: Path, flights: list[Flight], most: int) -> None:
    """Records over many segments, and many records in one."""
    compare(tmp_path / "one", list(in_segments(flights, most)))


@pytest.mark.parametrize("kind", TALKS)
def test_much_data(tmp_path: Path, certificate: tuple[Path, Path], kind: str) -> None:
    """Records of the largest size, each in a dozen segments."""
    flights = talk(*contexts(certificate, *TALKS[kind]), b"hello" * 10_000)
    compare(tmp_path / "one", list(in_segments(flights)))


@pytest.mark.parametrize("seed", range(4))
def test_what_was_sent_again_or_overtaken_is_put_right(
    tmp_path: Path, flights: list[Flight], seed: int
) -> None:
    chance = random.Random(seed)
    segments = list(in_segments(flights, 40, start=(2**32 - 300, 2**32 - 2000)))
    for place in sorted(chance.sample(range(3, len(segments) - 1), 20), reverse=True):
        if chance.random() < 0.5:
            segments.insert(place + chance.randrange(1, 3), segments[place])
        else:
            segments[place : place + 2] = segments[place : place + 2][::-1]
    whole = read(in_segments(flights), CLIENT, SERVER)
    mixed = read(segments, CLIENT, SERVER)
    assert [each.raw for each in mixed.messages] == [each.raw for each in whole.messages]
    assert [each.fragment for each in mixed.client.records + mixed.server.records] == [
        each.fragment for each in whole.client.records + whole.server.records
    ]
    compare(tmp_path / "one", segments)


@pytest.mark.parametrize("kind", TALKS)
def test_a_certificate_for_another_name(
    tmp_path: Path, certificate: tuple[Path, Path], kind: str
) -> None:
    """OpenSSL's client says so in the clear in TLS 1.3 too: it has not begun to encrypt."""
    client, server = contexts(certificate, *TALKS[kind])
    segments = list(in_segments(talk(client, server, name="other")))
    conversation = read(segments, CLIENT, SERVER)
    compare(tmp_path / "one", segments)
    assert [alert.name for alert in conversation.alerts] == ["bad_certificate"]
    assert sum(ALERT in each for each in facts(conversation).values()) == 1


@over_real_captures
def test_tshark_reads_the_same_in_real_captures() -> None:
    paths = real_captures("*.pcap*")
    results = [compared(path) for path in paths]
    assert results
    assert [text for _, differences in results for text in differences] == []
