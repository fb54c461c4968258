"""TCP options, read from their bytes and printed as tcpdump prints them.

An option is kept as it stood on the wire (kind and data), so that nothing is lost and nothing is
invented; its text is made on demand. Kinds are IANA's "TCP Option Kind Numbers".
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MODULUS: Final = 2**32

END, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMPS = 0, 1, 2, 3, 4, 5, 8
USER_TIMEOUT, AUTHENTICATION, FAST_OPEN, EXPERIMENT = 28, 29, 34, 254
_FAST_OPEN_MAGIC: Final = 0xF989  # RFC 7413, appendix A

# tcpdump's words (print-tcp.c, tcp_option_values). tcpdump has no word for 13; ours is RFC 1644's.
NAMES: Final = {
    END: "eol",
    NOP: "nop",
    MSS: "mss",
    WINDOW_SCALE: "wscale",
    SACK_PERMITTED: "sackOK",
    SACK: "sack",
    6: "echo",
    7: "echoreply",
    TIMESTAMPS: "TS",
    11: "cc",
    12: "ccnew",
    13: "ccecho",
    19: "md5",
    20: "scps",
    USER_TIMEOUT: "uto",
    AUTHENTICATION: "tcp-ao",
    30: "mptcp",
    FAST_OPEN: "tfo",
    EXPERIMENT: "exp",
}

# Options of one fixed length: how their data is laid out, and tcpdump's words around the values.
_LAYOUTS: Final = {
    END: ("", ""),
    NOP: ("", ""),
    MSS: ("!H", " {}"),
    WINDOW_SCALE: ("!B", " {}"),
    SACK_PERMITTED: ("", ""),
    6: ("!I", " {}"),
    7: ("!I", " {}"),
    TIMESTAMPS: ("!II", " val {} ecr {}"),
    11: ("!I", " {}"),
    12: ("!I", " {}"),
    13: ("!I", " {}"),
    20: ("!BB", " cap {:02x} id {}"),
    USER_TIMEOUT: ("!H", " 0x{:x}"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One TCP option: IANA's kind, and the data after the kind and length bytes."""

    kind: int
    data: bytes = b""

    @property
    def name(self) -> str:
        """What tcpdump calls the option, for example "mss", "TS" or "unknown-253"."""
        return NAMES.get(self.kind, f"unknown-{self.kind}")

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers the option carries: (mss,), (val, ecr), SACK edges; () when it has none."""
        if self.kind == SACK and len(self.data) % 8 == 0:
            return struct.unpack(f"!{len(self.data) // 4}I", self.data)
        layout = _LAYOUTS.get(self.kind, ("", ""))[0]
        if struct.calcsize(layout) != len(self.data):
            return ()
        return struct.unpack(layout, self.data)

    def text(self, origin: int = 0) -> str:
        """The option as tcpdump prints it, SACK edges less `origin` (modulo 2**32)."""
        printer = _PRINTERS.get(self.kind)
        if printer is not None:
            return printer(self, origin)
        layout, words = _LAYOUTS.get(self.kind, ("?", ""))
        if self.kind in _LAYOUTS and struct.calcsize(layout) == len(self.data):
            return self.name + words.format(*self.values)
        if self.kind in _LAYOUTS:
            return f"{_with_hexadecimal(self)} len {len(self.data) + 2}"
        return _with_hexadecimal(self)

    def __str__(self) -> str:
        return self.text()


def _with_hexadecimal(option: Option) -> str:
    return f"{option.name} 0x{option.data.hex()}" if option.data else option.name


def _selective_acknowledgement(option: Option, origin: int) -> str:
    if len(option.data) % 8:
        return "sack invalid sack"
    edges = [(edge - origin) % MODULUS for edge in option.values]
    blocks = zip(edges[::2], edges[1::2], strict=True)
    return f"sack {len(edges) // 2} " + "".join(f"{{{left}:{right}}}" for left, right in blocks)


def _user_timeout(option: Option, _: int) -> str:
    if len(option.data) != 2:
        return f"{_with_hexadecimal(option)} len {len(option.data) + 2}"
    (value,) = option.values
    seconds = (value >> 1) * 60 if value & 1 else value >> 1  # RFC 5482, section 3.1
    return f"uto 0x{value:x} {seconds}"


def _authentication(option: Option, _: int) -> str:
    if len(option.data) < 2:
        return "tcp-ao (invalid)"
    code = f" mac 0x{option.data[2:].hex()}" if option.data[2:] else ""
    return f"tcp-ao keyid {option.data[0]} rnextkeyid {option.data[1]}{code}"


def _cookie(data: bytes) -> str:
    if not data:
        return "cookiereq"
    if len(data) % 2 or not 4 <= len(data) <= 16:  # RFC 7413, section 4.1.1
        return "(invalid)"
    return f"cookie {data.hex()}"


def _experiment(option: Option, _: int) -> str:
    if len(option.data) < 2:
        return _with_hexadecimal(option)
    magic = int.from_bytes(option.data[:2], "big")  # RFC 6994
    return (
        f"exp-tfo {_cookie(option.data[2:])}" if magic == _FAST_OPEN_MAGIC else f"exp-{magic:04x}"
    )


_PRINTERS: Final[dict[int, Callable[[Option, int], str]]] = {
    SACK: _selective_acknowledgement,
    USER_TIMEOUT: _user_timeout,
    AUTHENTICATION: _authentication,
    FAST_OPEN: lambda option, _: f"tfo  {_cookie(option.data)}",  # two spaces, as tcpdump
    EXPERIMENT: _experiment,
}


def read_options(data: bytes) -> tuple[Option, ...]:
    """The options in `data`, the bytes between the fixed TCP header and the payload.

    What follows an end-of-options byte is padding and is left out (RFC 9293, section 3.1).
    Raises ValueError, saying where, when a length byte is missing or points outside.
    """
    options: list[Option] = []
    position = 0
    while position < len(data):
        kind = data[position]
        if kind in (END, NOP):
            options.append(Option(kind))
            position += 1
            if kind == END:
                break
            continue
        length = data[position + 1] if position + 1 < len(data) else 0
        if not 2 <= length <= len(data) - position:
            raise ValueError(
                f"TCP option {kind} at byte {position} of the options says length {length}, "
                f"but a length is at least 2 and {len(data) - position} bytes are left"
            )
        options.append(Option(kind, data[position + 2 : position + length]))
        position += length
    return tuple(options)
