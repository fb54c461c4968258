"""Segments that no honest stack sends: from tcpdump's notation, or scapy's layers, to bytes.

What is not said is filled in as a real sender would have it: addresses, ports, a right checksum.
Gives bytes and sends nothing; what cannot be written so is a CraftingError that says what can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple

from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.links import ETHERNET, IPV4_TYPE, IPV6_TYPE
from sockstates.tcp.notation import NotationError, format_segment, parse_pattern
from sockstates.tcp.options import END, MSS, NOP, SACK, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE
from sockstates.tcp.pattern import ANYTHING, ExpectedOption, Line, Number
from sockstates.tcp.segment import FLAG_LETTERS, NO_FLAGS, Address
from sockstates.tcp.tcpdump_output import checksum_text

USUAL_WINDOW: Final = 64240
"""What a segment offers whose window is not written: a Linux host's first, at an MSS of 1460."""
EXAMPLE: Final = 'sends("Flags [P.], seq 1001, ack K+1, win 64240, length 5", payload=b"hello")'
_OPTIONS_EXAMPLE: Final = "options [mss 1460,sackOK,TS val 1 ecr T,nop,wscale 7,sack 1 {5:9}]"
_MOST_OPTIONS: Final = 40
_PUNCTUATION: Final = frozenset("{}:")


class CraftingError(ValueError):
    """A segment that cannot be made as it was written; the message says what can be."""


class _Option(NamedTuple):
    """How an option that can be written is made: its kind, the words between its numbers, sizes."""

    kind: int
    words: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()


_OPTIONS: Final[dict[str, _Option]] = {
    "eol": _Option(END),
    "nop": _Option(NOP),
    "mss": _Option(MSS, (), (2,)),
    "wscale": _Option(WINDOW_SCALE, (), (1,)),
    "sackOK": _Option(SACK_PERMITTED),
    "TS": _Option(TIMESTAMPS, ("val", "ecr"), (4, 4)),
}


def read_layer(text: str, letters: Mapping[str, int], payload: bytes = b"") -> Any:
    """Scapy's TCP layer for a segment in tcpdump's notation: ``Flags [S], seq 1000``.

    letters: what they stand for, ``lab.sees`` binds them. Errors: CraftingError.
    """
    written = text.strip().splitlines()
    if len(written) > 1:
        raise CraftingError(f"one segment at a time, not {len(written)} lines: {text!r}")
    try:
        (line,) = parse_pattern(text if ">" in text else f"a > b: {text.strip()}")
    except NotationError as error:
        raise CraftingError(
            f"a segment to be sent cannot be read from {text!r}: expected {error.expected}\n"
            f"  at {error.line[error.column :] or 'its end'!r}\n  for example: {EXAMPLE}"
        ) from None
    assert isinstance(line, Line)  # a lone gap is refused
    return _Writer(line, letters).layer(payload)


class _Writer:
    """One written line, to be made into a layer."""

    def __init__(self, line: Line, letters: Mapping[str, int]) -> None:
        self._line = line
        self._letters = letters

    def layer(self, payload: bytes) -> Any:
        """The layer; the line must say all that the flags ask for, and nothing that they deny."""
        line = self._line
        if line.flags == ANYTHING:
            raise CraftingError("Flags [_] says nothing: write the flags, or [none]")
        if line.sequence is None:
            raise CraftingError("seq is missing: every segment has a number, say seq 1001")
        self._check_flag(".", "ack", line.acknowledgement)
        self._check_flag("U", "urg", line.urgent)
        sequence = self._value(line.sequence, "seq")
        self._check_length(sequence, len(payload))
        layer = _layers().TCP(
            flags=0
            if line.flags == NO_FLAGS
            else sum(1 << FLAG_LETTERS.index(f) for f in line.flags),
            seq=sequence,
            ack=self._value(line.acknowledgement, "ack"),
            window=USUAL_WINDOW if line.window is None else self._value(line.window, "win"),
            urgptr=self._value(line.urgent, "urg"),
            options=[self._option(each) for each in line.options or ()],
        )
        return layer / payload if payload else layer

    def _check_flag(self, flag: str, word: str, number: Number | None) -> None:
        if (flag in self._line.flags) != (number is not None):
            lacks = "has" if number is None else "lacks"
            gives = "gives no" if number is None else "gives"
            raise CraftingError(
                f"{self._line.flags!r} {lacks} the flag {flag!r}, and the line {gives} {word!r}: "
                "tcpdump's notation has both or neither. For one alone hand over a layer of "
                "scapy's: sends(TCP(…))"
            )

    def _check_length(self, sequence: int, length: int) -> None:
        """What is written of the payload's length is what is sent."""
        line = self._line
        said = [] if line.length is None else [self._value(line.length, "length")]
        if line.sequence_end is not None:
            said.append((self._value(line.sequence_end, "seq") - sequence) % (1 << 32))
        wrong = next((each for each in said if each != length), None)
        if wrong is not None:
            raise CraftingError(
                f"the segment is written with {wrong} bytes, and payload=… has {length}"
            )

    def _value(self, number: Number | None, where: str) -> int:
        if number is None:
            return 0
        value = number.value(self._letters)
        if value is None:
            known = ", ".join(sorted(self._letters)) or "none yet"
            raise CraftingError(
                f"{where} {number}: {number.letter} stands for no number. Letters that lab.sees "
                f"has bound: {known}"
            )
        return value

    def _option(self, written: ExpectedOption) -> tuple[Any, Any]:
        """An option as scapy takes it: kind and bytes."""
        if written.name == "sack":
            return SACK, self._blocks(written)
        form = _OPTIONS.get(written.name)
        words = tuple(each for each in written.words if isinstance(each, str))
        numbers = [
            _number(each) for each in written.words if isinstance(each, Number) or each.isdigit()
        ]
        if form is None or _without_digits(words) != form.words or len(numbers) != len(form.sizes):
            raise CraftingError(f"option {written} cannot be made; these can: {_OPTIONS_EXAMPLE}")
        if written.name in ("nop", "eol"):
            return written.name.upper(), None
        return form.kind, b"".join(
            self._octets(number, size, written.name)
            for number, size in zip(numbers, form.sizes, strict=True)
        )

    def _blocks(self, written: ExpectedOption) -> bytes:
        """The edges of ``sack 1 {5:9}``; the count before them must be right."""
        inner = [each for each in written.words if each not in _PUNCTUATION]
        numbers = [_number(each) for each in inner if isinstance(each, Number) or each.isdigit()]
        if len(numbers) != len(inner) or not numbers or len(numbers) % 2 == 0:
            raise CraftingError(f"option {written} cannot be made; for example {_OPTIONS_EXAMPLE}")
        count, *edges = numbers
        if self._value(count, "sack") != len(edges) // 2:
            raise CraftingError(f"option {written} has {len(edges) // 2} blocks")
        return b"".join(self._octets(each, 4, "sack") for each in edges)

    def _octets(self, number: Number, size: int, name: str) -> bytes:
        value = self._value(number, name)
        if value >> 8 * size:
            raise CraftingError(f"option {name} {number}: at most {(1 << 8 * size) - 1}")
        return value.to_bytes(size, "big")


def _number(word: str | Number) -> Number:
    return Number(None, int(word)) if isinstance(word, str) else word


def _without_digits(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if not word.isdigit())


def packet_of(
    layer: Any, source: Address, destination: Address, checksum: int | None = None
) -> bytes:
    """The IP packet of a segment: scapy's TCP layer, or IP with TCP, what is not set filled in.

    source, destination: IP address and port. checksum: another than the right one. Errors:
    CraftingError for any other layer.
    """
    scapy = _layers()
    if not hasattr(layer, "haslayer") or not layer.haslayer(scapy.TCP):
        raise CraftingError(f"a text or a layer with TCP of scapy's, not {layer!r}\n  {EXAMPLE}")
    whole = layer.copy()
    segment = whole[scapy.TCP]
    _fill(segment, sport=source.port, dport=destination.port)
    if checksum is not None:
        segment.setfieldval("chksum", checksum)
    around = scapy.IPv6 if ":" in source.ip else scapy.IP
    if whole is segment:
        whole = around() / whole
    if not isinstance(whole, around):
        raise CraftingError(f"the outermost layer is TCP or {around.__name__}, not {whole.name}")
    _fill(whole, src=source.ip, dst=destination.ip)
    if len(options := bytes(scapy.TCP(options=segment.options))[20:]) > _MOST_OPTIONS:
        raise CraftingError(f"the options take {len(options)} bytes; there is room for 40")
    return bytes(whole)


def _fill(layer: Any, **values: object) -> None:
    """Set the fields that nobody has set."""
    for name, value in values.items():
        if name not in layer.fields:
            layer.setfieldval(name, value)


def frame_of(packet: bytes, source_mac: str, destination_mac: str) -> bytes:
    """The Ethernet frame around an IP packet. MACs: ``02:00:00:00:00:01``."""
    kind = IPV6_TYPE if packet[0] >> 4 == 6 else IPV4_TYPE
    macs = (bytes.fromhex(mac.replace(":", "")) for mac in (destination_mac, source_mac))
    return b"".join(macs) + kind.to_bytes(2, "big") + packet


def frame_text(frame: bytes, names: Callable[[Address], str]) -> str:
    """What tcpdump -S prints of a crafted frame, with its checksum where that is not right."""
    try:
        segment = dissect(frame, 0, ETHERNET)
    except Malformed as error:
        return f"no segment that can be read: {error}"
    if segment is None:
        return "no TCP segment"
    checksum = checksum_text(frame[14:], segment)
    return format_segment(segment, names, checksum=checksum if "incorrect" in checksum else "")


class _Layers(NamedTuple):
    """What is used of scapy."""

    IP: Any
    IPv6: Any
    TCP: Any


def _layers() -> _Layers:
    """Imported when first needed: it takes a third of a second."""
    from sockstates.tcp.dissect import prepare

    prepare()
    from scapy.layers import inet, inet6

    modules: tuple[ModuleType, ModuleType] = inet, inet6
    return _Layers(modules[0].IP, modules[1].IPv6, modules[0].TCP)
