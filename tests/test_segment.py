import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates import Segment
from sockstates.tcp.options import Option, read_options
from sockstates.tcp.segment import Address, add, distance, flags_from_bits, order_flags

CIRCLE = st.integers(0, 2**32 - 1)
HERE, THERE = Address("10.0.0.1", 43210), Address("10.0.0.2", 16868)


def segment(
    flags: str,
    sequence: int = 0,
    payload: bytes = b"",
    missing: int = 0,
    options: tuple[Option, ...] = (),
) -> Segment:
    return Segment(
        time=0,
        source=HERE,
        destination=THERE,
        flags=flags,
        sequence=sequence,
        acknowledgement=0 if "." in flags else None,
        window=64240,
        payload=payload,
        missing=missing,
        options=options,
    )


@given(CIRCLE, st.integers(-(2**31), 2**31 - 1))
def test_distance_undoes_add(start: int, amount: int) -> None:
    assert 0 <= add(start, amount) < 2**32
    assert distance(start, add(start, amount)) == amount


def test_numbers_wrap_at_two_to_the_32() -> None:
    assert add(2**32 - 1, 1) == 0
    assert distance(2**32 - 1, 1) == 2
    assert distance(1, 2**32 - 1) == -2


@pytest.mark.parametrize(
    ("flags", "payload", "counted"),
    [("S", b"", 1), ("F.", b"", 1), (".", b"", 0), ("P.", b"hello", 5), ("FP.", b"hello", 6)],
)
def test_syn_and_fin_count_in_the_end(flags: str, payload: bytes, counted: int) -> None:
    assert segment(flags, 2**32 - 1, payload).end == (counted - 1) % 2**32


def test_octets_not_captured_count_in_the_length() -> None:
    assert segment("P.", payload=b"hel", missing=2).length == 5


def test_the_word_none_holds_no_flag() -> None:
    assert not any(segment("none").has(letter) for letter in "none")


@given(st.integers(0, 511))
def test_flags_are_ordered_as_tcpdump_orders_them(bits: int) -> None:
    flags = flags_from_bits(bits)
    assert flags == order_flags(reversed(flags)) if bits else flags == "none"


def test_an_option_is_found_by_its_name() -> None:
    options = (Option(1), Option(2, b"\x05\xb4"))
    found = segment("S", options=options).option("mss")
    assert found is not None
    assert found.values == (1460,)
    assert segment("S").option("mss") is None


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (Option(0), "eol"),
        (Option(1), "nop"),
        (Option(2, b"\x05\xb4"), "mss 1460"),
        (Option(3, b"\x07"), "wscale 7"),
        (Option(4), "sackOK"),
        (Option(5, bytes([0, 0, 0, 5, 0, 0, 0, 9])), "sack 1 {5:9}"),
        (Option(8, bytes([0, 0, 0, 1, 0, 0, 0, 0])), "TS val 1 ecr 0"),
        (Option(28, b"\x80\x09"), "uto 0x8009 983280"),
        (Option(34), "tfo  cookiereq"),
        (Option(34, b"\1\2\3\4"), "tfo  cookie 01020304"),
        (Option(253, b"\1\2"), "unknown-253 0x0102"),
        (Option(254, b"\xf9\x89"), "exp-tfo cookiereq"),
    ],
)
def test_options_are_printed_as_tcpdump_prints_them(option: Option, text: str) -> None:
    assert str(option) == text


def test_sack_edges_can_be_relative() -> None:
    assert Option(5, bytes([0, 0, 0, 5, 0, 0, 0, 9])).text(origin=6) == "sack 1 {4294967295:3}"


@given(st.integers(0, 255), st.binary(max_size=38))
def test_every_option_has_a_text_and_values(kind: int, data: bytes) -> None:
    option = Option(kind, data)
    assert str(option).startswith(option.name)
    assert all(isinstance(value, int) for value in option.values)


@given(st.lists(st.tuples(st.integers(2, 255), st.binary(max_size=38))))
def test_options_are_read_back(pairs: list[tuple[int, bytes]]) -> None:
    options = tuple(Option(kind, data) for kind, data in pairs)
    octets = b"".join(bytes([each.kind, len(each.data) + 2]) + each.data for each in options)
    assert read_options(octets) == options
    assert read_options(octets + b"\0rest") == (*options, Option(0))


@pytest.mark.parametrize("octets", [b"\x02", b"\x02\x00", b"\x02\x01", b"\x01\x02\x05\x00"])
def test_a_bad_length_says_where(octets: bytes) -> None:
    with pytest.raises(ValueError, match="TCP option 2 at byte"):
        read_options(octets)
