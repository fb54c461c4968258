import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates import Segment
from sockstates.tcp.explanation import explain
from sockstates.tcp.matching import Match, Mismatch, UnknownHost, match
from sockstates.tcp.notation import parse_pattern
from sockstates.tcp.options import Option
from sockstates.tcp.pattern import Gap, Pattern
from sockstates.tcp.segment import Address

CLIENT, SERVER = Address("10.0.0.1", 43210), Address("10.0.0.2", 16868)
HOSTS = {"client": ["10.0.0.1", "fd00::1"], "server": ["10.0.0.2", "fd00:0::2"]}
J, K = 1928661013, 2**32 - 1


def segment(
    source: Address,
    flags: str,
    sequence: int,
    acknowledgement: int | None = None,
    payload: bytes = b"",
    *,
    options: Any = (),
    window: int = 64240,
) -> Segment:
    return Segment(
        time=0,
        source=source,
        destination=SERVER if source == CLIENT else CLIENT,
        flags=flags,
        sequence=sequence % 2**32,
        acknowledgement=None if acknowledgement is None else acknowledgement % 2**32,
        window=window,
        payload=payload,
        options=options,
    )


SYN_OPTIONS = (Option(2, b"\x05\xb4"), Option(4), Option(8, bytes([0, 0, 0, 9] + [0] * 4)))
TALK = (
    segment(CLIENT, "S", J, options=SYN_OPTIONS),
    segment(SERVER, "S.", K, J + 1),
    segment(CLIENT, ".", J + 1, K + 1),
    segment(CLIENT, "P.", J + 1, K + 1, b"hello"),
    segment(SERVER, ".", K + 1, J + 6),
    segment(SERVER, "F.", K + 1, J + 6),
    segment(SERVER, "F.", K + 1, J + 6),
    segment(CLIENT, ".", J + 6, K + 2),
)


def matched(
    text: str,
    segments: Sequence[Segment] = TALK,
    bindings: Mapping[str, int] | None = None,
    start: int = 0,
) -> Match:
    found = match(parse_pattern(text), segments, bindings, HOSTS, start=start)
    assert isinstance(found, Match), explain(found)
    return found


def mismatched(
    text: str, segments: Sequence[Segment] = TALK, bindings: Mapping[str, int] | None = None
) -> Mismatch:
    found = match(parse_pattern(text), segments, bindings, HOSTS)
    assert isinstance(found, Mismatch)
    return found


def test_a_handshake_binds_its_letters_across_the_wrap_of_numbers() -> None:
    found = matched("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)
    assert found == Match(0, 3, (0, 1, 2), {"J": J, "K": K})


def test_a_letter_may_bind_by_an_offset() -> None:
    assert matched("server > client: Flags [F.], seq K+1, ack J+6").bindings == {"J": J, "K": K}


def test_letters_given_stay_and_must_agree() -> None:
    line = "client > server: Flags [S], seq J"
    assert matched(line, bindings={"J": J, "X": 1}).bindings == {"J": J, "X": 1}
    found = mismatched(line, bindings={"J": J + 1})
    assert [str(reason) for reason in found.reasons] == [f"seq {J}, expected J = {J + 1}"]


def test_bindings_given_are_not_changed() -> None:
    given_bindings = {"K": K}
    matched("client > server: Flags [S], seq J", bindings=given_bindings)
    assert given_bindings == {"K": K}


def test_nothing_more_may_stand_between() -> None:
    text = "client > server: Flags [S]\n{}client > server: Flags [.]"
    found = mismatched(text.format(""))
    assert (found.positions, found.failed, found.at) == ((0,), 1, 1)
    assert matched(text.format("...\n")).positions == (0, None, 2)


def test_the_first_place_that_fits_wins_and_a_later_start_can_be_asked_for() -> None:
    line = "server > client: Flags [F.]"
    assert matched(line).first == 5
    assert matched(line, start=6).first == 6
    assert matched(f"{line}\n{line}").positions == (5, 6)
    assert isinstance(match(parse_pattern(line), TALK, {}, HOSTS, start=7), Mismatch)


def test_a_gap_may_be_empty_and_may_need_more_than_the_first_that_fits() -> None:
    assert matched("client > server: Flags [S]\n...\nserver > client: Flags [S.]").last == 2
    text = (
        "client > server: Flags [S]\n...\nserver > client: Flags [F.]\nclient > server: Flags [.]"
    )
    assert matched(text).positions == (0, None, 6, 7)


def test_gaps_at_both_ends_cover_no_segment() -> None:
    found = matched("...\nclient > server: Flags [P.]\n...")
    assert (found.first, found.last, found.positions) == (3, 4, (None, 3, None))


def test_an_attempt_that_fails_leaves_no_letter_bound() -> None:
    found = matched("""
        client > server: Flags [.], seq X, ack Y
        client > server: Flags [P.], seq X
    """)
    assert found.bindings == {"X": J + 1, "Y": (K + 1) % 2**32}


def test_a_segment_passed_over_leaves_no_letter_bound() -> None:
    found = matched(
        """
        client > server: Flags [S]
        ...
        client > server: Flags [.], seq X, ack K+2
    """,
        bindings={"K": K},
    )
    assert found.bindings == {"K": K, "X": J + 6}


def test_a_gap_is_searched_again_from_an_earlier_segment() -> None:
    segments = [segment(CLIENT, ".", number) for number in (1, 2)]
    segments += [segment(SERVER, ".", 2), segment(CLIENT, "R", 9), segment(SERVER, ".", 1)]
    found = matched(
        """
        ...
        client > server: Flags [_], seq X
        ...
        server > client: Flags [.], seq X
        ...
        client > server: Flags [R]
    """,
        segments,
    )
    assert found.positions == (None, 1, None, 2, None, 3)


@pytest.mark.parametrize(
    "field",
    [
        "seq J+1:J+6",
        "seq J+1:_",
        "ack K+1",
        "win 64240",
        "win W",
        "length 5",
        "length L",
        "options []",
        "seq _, ack _, win _, length _",
    ],
)
def test_fields_that_agree(field: str) -> None:
    matched(f"client > server: Flags [P.], {field}", bindings={"J": J, "K": K})


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("seq J", f"seq {J + 1}, expected J = {J}"),
        ("seq J+1:J+7", f"seq end {J + 6}, expected J+7 = {J + 7}"),
        ("ack 5", "ack 0, expected 5"),
        ("win 0", "win 64240, expected 0"),
        ("urg 0", "urg none, expected 0"),
        ("length 4", "length 5, expected 4"),
        ("options [nop]", "options [], expected nop"),
    ],
)
def test_fields_that_differ(field: str, reason: str) -> None:
    found = mismatched(f"client > server: Flags [P.], {field}", bindings={"J": J, "K": K})
    assert [str(each) for each in found.reasons] == [reason]
    assert found.at == 3


def test_a_segment_without_ack_has_no_acknowledgement() -> None:
    found = mismatched("client > server: Flags [S], ack A")
    assert str(found.reasons[0]) == "ack none, expected A"


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ("mss 1460,sackOK,TS val 9 ecr 0", True),
        ("mss 1460,TS val T ecr 0", True),
        ("mss,TS val _ ecr E", True),
        ("mss M", True),
        ("sackOK", True),
        ("mss 1461", False),
        ("sackOK,mss 1460", False),
        ("mss 1460,mss 1460", False),
        ("TS val T ecr T", False),
        ("nop", False),
        ("", False),
    ],
)
def test_options_stand_in_order_and_others_may_stand_between(options: Any, fits: bool) -> None:
    line = f"client > server: Flags [S], options [{options}]"
    assert isinstance(match(parse_pattern(line), TALK, {}, HOSTS), Match) == fits


def test_options_bind_letters() -> None:
    line = "client > server: Flags [S], options [mss M+40,TS val T ecr _]"
    assert matched(line).bindings == {"M": 1420, "T": 9}


def test_an_option_passed_over_leaves_no_letter_bound() -> None:
    options = tuple(Option(8, bytes([0, 0, 0, value, 0, 0, 0, value + 1])) for value in (1, 5))
    line = "client > server: Flags [.], options [TS val T ecr 6]"
    assert matched(line, [segment(CLIENT, ".", 1, 2, options=options)]).bindings == {"T": 5}


def test_sack_edges_can_be_letters() -> None:
    option = Option(5, (100).to_bytes(4, "big") + (105).to_bytes(4, "big"))
    segments = [segment(CLIENT, ".", 1, 2, options=(Option(1), option))]
    line = "client > server: Flags [.], options [sack 1 {X:X+5}]"
    assert matched(line, segments).bindings == {"X": 100}


def test_flags_must_be_exactly_those_in_any_order() -> None:
    assert matched("client > server: Flags [.P]").first == 3
    assert mismatched("client > server: Flags [P]").reasons[0].field == "Flags"
    assert matched("client > server: Flags [_], length 5").first == 3


def test_a_host_has_several_addresses_in_any_spelling() -> None:
    six = Segment(0, Address("fd00::1", 5), Address("fd00::2", 6), "S", 1, None, 0)
    for line in (
        "client > server: Flags [S]",
        "client.5 > server.6: Flags [S]",
        "fd00:0:0::1 > server: Flags [S]",
        "fd00::1.5 > fd00::2.6: Flags [S]",
    ):
        matched(line, [six])
    assert mismatched("client.6 > server: Flags [S]", [six]).reasons[0].field == "from"


def test_an_unknown_host_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownHost) as raised:
        match(parse_pattern("client > servr: Flags [S]"), TALK, {}, HOSTS)
    assert "'servr'" in str(raised.value)
    assert "Did you mean server?" in str(raised.value)
    assert "client, server" in str(raised.value)


@pytest.mark.parametrize("lines", [(), (Gap(),)])
def test_an_expectation_of_nothing_is_refused(lines: Pattern) -> None:
    with pytest.raises(ValueError, match="no segment at all"):
        match(lines, TALK, {}, HOSTS)


def test_the_nearest_attempt_is_the_one_with_most_lines_then_fewest_differences() -> None:
    found = mismatched("""
        server > client: Flags [F.], seq K+1, ack J+6
        client > server: Flags [.], ack K+3
    """)
    assert (found.positions, found.at, found.matched, found.first) == ((6,), 7, 1, 6)
    assert [reason.field for reason in found.reasons] == ["ack"]


def test_no_segment_left_is_a_mismatch_without_reasons() -> None:
    found = mismatched(
        "client > server: Flags [.], ack K+2\nserver > client: Flags [R]", bindings={"K": K}
    )
    assert (found.positions, found.failed, found.at, found.reasons) == ((7,), 1, None, ())
    found = mismatched("server > client: Flags [R]", [])
    assert (found.positions, found.failed, found.at) == ((), 0, None)


def test_a_long_capture_with_gaps_is_searched_in_reasonable_time() -> None:
    acknowledgements = [segment(CLIENT, ".", J, K) for _ in range(3000)]
    line = "client > server: Flags [.], ack K"
    text = f"{line}\n...\n{line}\n...\n{line}\n...\nserver > client: Flags [R]"
    begun = time.process_time()  # the machine is shared
    assert mismatched(text, acknowledgements, {"K": K}).matched == 3
    assert time.process_time() - begun < 20


SMALL = st.lists(
    st.builds(
        segment,
        st.sampled_from((CLIENT, SERVER)),
        st.sampled_from((".", "F.")),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=7,
)
SMALL_LINES = st.lists(
    st.sampled_from(
        (
            "...",
            "client > server: Flags [.], seq J, ack K",
            "client > server: Flags [_], seq K",
            "server > client: Flags [.], seq K+1",
            "server > client: Flags [F.], seq _, ack J",
            "server > client: Flags [_], seq J, ack J",
        )
    ),
    min_size=1,
    max_size=5,
).filter(lambda written: any(line != "..." for line in written))


def fits(lines: Pattern, segments: Sequence[Segment], bindings: Mapping[str, int] | None) -> bool:
    """A plain judge, without memory or order: can all lines be placed from here on?"""
    if not lines:
        return True
    if str(lines[0]) == "...":
        return any(fits(lines[1:], segments[n:], bindings) for n in range(len(segments) + 1))
    if not segments:
        return False
    found = match(lines[:1], segments[:1], bindings, HOSTS)
    return isinstance(found, Match) and fits(lines[1:], segments[1:], found.bindings)


@given(SMALL_LINES, SMALL)
def test_a_match_is_found_exactly_when_there_is_one(
    written: list[str], segments: Sequence[Segment]
) -> None:
    lines = parse_pattern("\n".join(written))
    found = match(lines, segments, {}, HOSTS)
    possible = [n for n in range(len(segments)) if fits(lines, segments[n:], {})]
    if isinstance(found, Match):
        assert possible
        if written[0] != "...":
            assert found.first == possible[0]
        bindings: Mapping[str, int] = {}
        for line, position in zip(lines, found.positions, strict=True):
            if position is not None:
                again = match((line,), segments[position : position + 1], bindings, HOSTS)
                assert isinstance(again, Match)
                bindings = again.bindings
        assert bindings == found.bindings
    else:
        assert not possible
        assert found.failed < len(lines)
        assert (found.at is None) == (not found.reasons)
