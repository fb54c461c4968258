from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates import Segment
from sockstates.tcp.matching import Match, match
from sockstates.tcp.notation import (
    ABSOLUTE,
    NotationError,
    Origin,
    Origins,
    format_segment,
    parse_pattern,
)
from sockstates.tcp.options import Option
from sockstates.tcp.pattern import Endpoint, ExpectedOption, Gap, Line, Number
from sockstates.tcp.segment import FLAG_LETTERS, Address, order_flags

WORD, HALF = st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1)
LETTER = st.from_regex(r"[A-Z][A-Za-z0-9_]{0,4}", fullmatch=True)


def options_of_every_kind() -> st.SearchStrategy[Option]:
    data = {2: 2, 3: 1, 4: 0, 5: 8, 8: 8, 28: 2, 29: 6, 34: 8, 77: 3, 253: 4, 254: 4}
    return st.one_of(
        [st.just(Option(0)), st.just(Option(1))]
        + [
            st.builds(Option, st.just(kind), st.binary(min_size=size, max_size=size))
            for kind, size in data.items()
        ]
        + [st.builds(Option, st.integers(2, 255), st.binary(max_size=12))]
    )


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    version = draw(st.sampled_from((4, 6)))
    source, destination = (
        Address(str(draw(st.ip_addresses(v=4 if version == 4 else 6))), draw(HALF))
        for _ in range(2)
    )
    flags = order_flags(draw(st.sets(st.sampled_from(FLAG_LETTERS))))
    return Segment(
        time=0,
        source=source,
        destination=destination,
        flags=flags,
        sequence=draw(WORD),
        acknowledgement=draw(WORD) if "." in flags else None,
        window=draw(HALF),
        urgent=draw(HALF),
        options=tuple(draw(st.lists(options_of_every_kind(), max_size=4))),
        payload=draw(st.binary(max_size=9)),
    )


NUMBERS = st.one_of(
    st.builds(Number, st.none(), HALF),
    st.builds(Number, LETTER, st.integers(-(10**6), 10**6)),
    st.just(Number("_")),
)
HOSTS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True) | st.ip_addresses().map(str)
OPTIONS = st.builds(
    ExpectedOption,
    st.sampled_from(("mss", "sackOK", "TS", "sack", "nop", "unknown-253", "exp-tfo")),
    st.lists(
        st.sampled_from(("1460", "val", "{", "}", ":", "0x0102"))
        | NUMBERS.filter(lambda number: number.letter is not None),
        max_size=5,
    ).map(tuple),
)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    def maybe(strategy: Any) -> Any:
        return draw(st.none() | strategy)

    sequence = maybe(NUMBERS)
    return Line(
        source=Endpoint(draw(HOSTS), maybe(HALF)),
        destination=Endpoint(draw(HOSTS), maybe(HALF)),
        flags=draw(st.just("_") | st.sets(st.sampled_from(FLAG_LETTERS)).map(order_flags)),
        sequence=sequence,
        sequence_end=None if sequence is None else maybe(NUMBERS),
        acknowledgement=maybe(NUMBERS),
        window=maybe(NUMBERS),
        urgent=maybe(NUMBERS),
        options=maybe(st.lists(OPTIONS, max_size=4).map(tuple)),
        length=maybe(NUMBERS),
    )


@given(lines())
def test_a_line_is_read_back_from_its_own_text(line: Line) -> None:
    assert parse_pattern(str(line)) == (line,)


@given(segments())
def test_what_is_printed_is_an_expectation_of_that_segment(segment: Segment) -> None:
    found = match(parse_pattern(format_segment(segment)), [segment])
    assert isinstance(found, Match)


@given(segments())
def test_what_is_printed_with_names_is_an_expectation_of_that_segment(segment: Segment) -> None:
    hosts = {"a": [segment.source.ip], "b": [segment.destination.ip]}
    text = format_segment(segment, lambda end: "a" if end == segment.source else "b")
    assert isinstance(match(parse_pattern(text), [segment], {}, hosts), Match)


def read_or_refused(text: str) -> None:
    """Reading gives lines, or an error that points into the line; never another exception."""
    try:
        assert parse_pattern(text)
    except NotationError as refused:
        error = refused
    else:
        return
    assert 0 <= error.column <= len(error.line)
    assert error.example in str(error)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refused(text)


WORDS = (
    "client server > : Flags [ ] [S.] , seq ack win options mss TS { } length J +1 - 5 _ "
    "... # IP 10.0.0.1 fe80::1 .80 none"
)


@given(st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=14), st.sampled_from(("", " ")))
def test_any_order_of_words_is_read_or_refused(words: list[str], space: str) -> None:
    read_or_refused("client > server: Flags" + space + space.join(words))


@given(lines(), st.data())
def test_a_damaged_line_is_read_or_refused(line: Line, data: st.DataObject) -> None:
    text = str(line)
    position = data.draw(st.integers(0, len(text)))
    read_or_refused(text[:position] + data.draw(st.text(max_size=2)) + text[position + 1 :])


def test_a_whole_expectation() -> None:
    assert parse_pattern("""
        # the handshake
        client > server.80: Flags [S], seq J, win 0, options [mss 1460,TS val T ecr _]
        ...                                    # whatever
        10.0.0.1.5 > fe80::1.80: Flags [.P], seq J+1:J+6, ack K-1, length 5
    """) == (
        Line(
            Endpoint("client"),
            Endpoint("server", 80),
            "S",
            sequence=Number("J"),
            window=Number(None, 0),
            options=(
                ExpectedOption("mss", ("1460",)),
                ExpectedOption("TS", ("val", Number("T"), "ecr", Number("_"))),
            ),
        ),
        Gap(),
        Line(
            Endpoint("10.0.0.1", 5),
            Endpoint("fe80::1", 80),
            "P.",
            sequence=Number("J", 1),
            sequence_end=Number("J", 6),
            acknowledgement=Number("K", -1),
            length=Number(None, 5),
        ),
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "IP ",
        "IP6 ",
        "12:34:56.789012 IP ",
        "2024-01-31 12:34:56.789012 IP ",
        "1700000000.123456 IP ",
        "12:34:56.789012 eth0  Out IP ",
        " 00:00:00.000012 IP6 ",
    ],
)
def test_what_tcpdump_prints_before_the_addresses_may_stay(before: str) -> None:
    line = "10.0.0.1.5 > 10.0.0.2.80: Flags [P.], seq 1:6, ack 1, win 502, length 5"
    assert parse_pattern(before + line) == parse_pattern(line)
    assert parse_pattern(before + line + ": HTTP: GET / HTTP/1.1") == parse_pattern(line)


def test_a_host_may_be_called_like_the_protocol() -> None:
    assert parse_pattern("IP > IP6: Flags [S]") == (Line(Endpoint("IP"), Endpoint("IP6"), "S"),)


@pytest.mark.parametrize(
    ("text", "pointed_at", "expected"),
    [
        ("client Flags [S]", "Flags", '">"'),
        ("client > server Flags [S]", "Flags", '":"'),
        ("client > server:", "", '"Flags"'),
        ("cli.ent > server: Flags [S]", "cli.ent", "a sending host"),
        ("client > server.99999: Flags [S]", "server.99999:", "a receiving host"),
        ("client > server: flags [S]", "flags", '"Flags"'),
        ("client > server: Flags S", "S", "the flags in brackets"),
        ("client > server: Flags [SX]", "SX", "letters of FSRP.UEWe"),
        ("client > server: Flags [SS]", "SS", "each once"),
        ("client > server: Flags [S] seq J", "seq", '","'),
        ("client > server: Flags [S], seg J", "seg", "seq, ack, win, urg, options or length"),
        ("client > server: Flags [S], seq j", "j", 'a number, a letter or _ after "seq"'),
        ("client > server: Flags [S], seq J:j", "j", "after the colon"),
        ("client > server: Flags [S], ack 1, ack 2", "ack", '"ack" only once'),
        ("client > server: Flags [S], win 65536", "65536", "at most 65535"),
        ("client > server: Flags [S], seq 4294967296", "4294967296", "at most 4294967295"),
        ("client > server: Flags [S], options mss", "mss", "the options in brackets"),
        ("client > server: Flags [S], options [nop, mms 1]", "mms", "an option's name"),
        ("client > server: Flags [S], options [nop,,nop]", ",nop]", "an option's name"),
        ("client > server: Flags [S],", "", "seq, ack, win"),
        (".. ..", "..", "a sending host"),
    ],
)
def test_an_error_points_at_the_word_and_says_what_was_expected(
    text: str, pointed_at: str, expected: str
) -> None:
    with pytest.raises(NotationError) as raised:
        parse_pattern("# first\n\n" + text)
    error = raised.value
    assert error.number == 3
    assert error.line == text
    assert text[error.column :].startswith(pointed_at)
    assert (text[error.column :] == "") == (pointed_at == "")
    assert expected in error.expected


def test_an_error_reads_well() -> None:
    with pytest.raises(NotationError) as raised:
        parse_pattern("client > server: Flags [S], win 70000")
    assert str(raised.value) == (
        'line 1 of the expectation: expected at most 65535 after "win"\n'
        "    client > server: Flags [S], win 70000\n"
        "                                    ^^^^^\n"
        "for example: 5, J, J+1 or _"
    )


@pytest.mark.parametrize("text", ["", "\n # only a comment", "...", "...\n..."])
def test_an_expectation_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(NotationError, match="at least one segment"):
        parse_pattern(text)


SYN = Segment(
    time=0,
    source=Address("10.0.0.1", 43210),
    destination=Address("10.0.0.2", 16868),
    flags="S",
    sequence=1928661013,
    acknowledgement=None,
    window=64240,
    options=(
        Option(2, b"\x05\xb4"),
        Option(4),
        Option(8, (8656013).to_bytes(4, "big") + bytes(4)),
        Option(1),
        Option(3, b"\x07"),
    ),
)


def test_a_segment_is_printed_with_names() -> None:
    names = {"10.0.0.1": "client", "10.0.0.2": "server"}
    assert format_segment(SYN, lambda end: names[end.ip]) == (
        "client.43210 > server.16868: Flags [S], seq 1928661013, win 64240, "
        "options [mss 1460,sackOK,TS val 8656013 ecr 0,nop,wscale 7], length 0"
    )


def test_origins_follow_tcpdump_in_a_connection_with_itself() -> None:
    origins = Origins()
    end = Address("10.0.0.1", 5)
    itself = Segment(0, end, end, "S.", 100, 101, 0)
    assert origins.of(itself) == Origin(selective=100)
    assert origins.of(SYN) == ABSOLUTE
