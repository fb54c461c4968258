"""How a mismatch is explained: expected beside seen, what differs, within the width."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sockstates import Segment
from sockstates.tcp.explanation import explain
from sockstates.tcp.matching import Mismatch, match
from sockstates.tcp.notation import parse_pattern
from sockstates.tcp.segment import Address
from tests.test_matching import HOSTS, SMALL, SMALL_LINES, TALK, J, mismatched


@given(SMALL_LINES, SMALL, st.sampled_from((60, 80, 100, 120)))
def test_any_mismatch_is_explained_within_the_width(
    written: list[str], segments: Sequence[Segment], width: int
) -> None:
    found = match(parse_pattern("\n".join(written)), segments, {}, HOSTS)
    if isinstance(found, Mismatch):
        lines = explain(found, width).splitlines()
        assert max(map(len, lines)) <= max(80, width)
        assert all(line == line.rstrip() for line in lines)


def test_an_explanation_side_by_side() -> None:
    found = mismatched("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+2
        client > server: Flags [.]
    """)
    assert explain(found).splitlines() == [
        "Seen 1 of 3 segments expected, then another one.",
        "",
        "    expected                                      seen",
        "  ✓ client > server: Flags [S], seq J             client > server: Flags [S], seq J",
        "  ✗ server > client: Flags [S.], seq K, ack J+2   "
        "server > client: Flags [S.], seq K, ack J+1",
        "    client > server: Flags [.]",
        "",
        "What differs:",
        "    ack: seen J+1 = 1928661014, expected J+2 = 1928661015",
        "",
        "That segment in full:",
        "    server.16868 > client.43210: Flags [S.], seq 4294967295, ack 1928661014, win 64240, "
        "length 0",
        "",
        "Letters: J = 1928661013, K = 4294967295",
    ]


def test_an_explanation_one_above_the_other() -> None:
    found = mismatched("""
        client > server: Flags [S], seq J, win 64240, options [mss 1460,sackOK,TS val T ecr 0]
        ...
        server.16868 > client: Flags [R.], ack J+1
    """)
    assert explain(found, 80).splitlines() == [
        "Seen 1 of 2 segments expected, then another one.",
        "",
        "  ✓ expected  client > server: Flags [S], seq J, win 64240,",
        "              options [mss 1460,sackOK,TS val T ecr 0]",
        "        seen  client > server: Flags [S], seq J, win 64240,",
        "              options [mss 1460,sackOK,TS val 9 ecr 0]",
        "    expected  ...",
        "  ✗ expected  server.16868 > client: Flags [R.], ack J+1",
        "        seen  server.16868 > client: Flags [S.], ack J+1",
        "",
        "What differs:",
        "    Flags: seen [S.], expected [R.]",
        "",
        "That segment in full:",
        "    server.16868 > client.43210: Flags [S.], seq 4294967295, ack 1928661014,",
        "    win 64240, length 0",
        "",
        "Letters: J = 1928661013, T = 9",
    ]


def test_another_direction_is_not_explained_by_its_numbers() -> None:
    found = mismatched("client > server: Flags [R], seq J", TALK[1:2], {"J": J})
    assert [reason.field for reason in found.reasons] == ["from", "to", "Flags", "seq"]
    text = explain(found)
    assert "from: seen server.16868, expected client" in text
    assert "seq: seen" not in text
    assert "is not among the one segment seen" in text


def test_a_number_without_a_letter_is_said_to_be_absolute() -> None:
    found = mismatched("client > server: Flags [P.], seq 1:6")
    assert "Numbers without a letter are absolute" in explain(found)


def test_nothing_seen_is_said() -> None:
    found = mismatched("client > server: Flags [R]", [])
    assert explain(found).startswith("No segment was seen at all.")
    text = explain(mismatched("client > server: Flags [.], ack K+2\nserver > client: Flags [R]"))
    assert "then nothing more" in text or "then another one" in text


def test_an_address_of_several_hosts_is_not_given_the_name_of_one() -> None:
    hosts = {"client": ["127.0.0.1"], "server": ["127.0.0.1"]}
    here = Address("127.0.0.1", 5)
    found = match(
        parse_pattern("client > server: Flags [R]"),
        [Segment(0, here, here, "S", 1, None, 0)],
        {},
        hosts,
    )
    assert isinstance(found, Mismatch)
    assert "127.0.0.1 > 127.0.0.1: Flags [S]" in explain(found)
