"""tcpdump's notation: segments printed as tcpdump prints them, and expectations written that way.

An expectation is text, one segment a line, in tcpdump's words:

    client > server: Flags [S], seq J, options [mss 1460,sackOK]
    server > client: Flags [S.], seq K, ack J+1
    ...
    client.43210 > server.80: Flags [P.], seq J+1:J+6, ack K+1, win _, length 5

- Only what is written is compared; everything after `Flags [..]` may be left out. The flags must
  be exactly those written, in any order; `Flags [_]` is any.
- A number is literal (absolute, as `tcpdump -S` prints it), a word with a capital at its start
  (`J`, `ISN`) that binds on first use, such a word with an offset (`J+1`), or `_` for anything.
- The options listed must be there in that order, others may stand between; an option may be cut
  short (`mss` is any mss, `TS val T` leaves out the echo); `options []` means none at all.
- `...` lets any number of further segments stand; `#` starts a comment.
- A host is a name without dots or an IP address, and a port may follow: `client.80`, `10.0.0.1.80`.
- What tcpdump prints before the addresses (a time, an interface, `IP`) may stay when pasted.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from sockstates.tcp.pattern import Gap, Line, Pattern
from sockstates.tcp.reading import NotationError, read_line
from sockstates.tcp.segment import Address, Segment, add

__all__ = [
    "ABSOLUTE",
    "Gap",
    "Line",
    "NotationError",
    "Origin",
    "Origins",
    "Pattern",
    "format_segment",
    "parse_pattern",
]


class Origin(NamedTuple):
    """What is taken off a segment's numbers before they are printed; nothing, for absolute ones."""

    sequence: int = 0
    acknowledgement: int = 0
    selective: int = 0


ABSOLUTE: Final = Origin()


class Origins:
    """Where the relative numbers of every connection begin, as `tcpdump` without -S reckons.

    To be asked once for each segment, in the order of capture: the first segment of a connection
    with ACK, and every SYN with ACK, sets the origins and is itself printed absolute; so is
    everything without ACK (print-tcp.c).
    """

    def __init__(self) -> None:
        self._known: dict[frozenset[Address], tuple[Address, int, int]] = {}

    def of(self, segment: Segment) -> Origin:
        """The origin to print `segment` with."""
        if segment.acknowledgement is None:
            return ABSOLUTE
        connection = frozenset((segment.source, segment.destination))
        if connection not in self._known or segment.has("S"):
            peer = add(segment.acknowledgement, -1)
            self._known[connection] = (segment.source, segment.sequence, peer)
            return Origin(selective=peer)
        source, own, peer = self._known[connection]
        if source != segment.source:
            own, peer = peer, own
        return Origin(own, peer, peer)


def format_segment(
    segment: Segment,
    names: Callable[[Address], str] | None = None,
    origin: Origin = ABSOLUTE,
    checksum: str = "",
) -> str:
    """`segment` as tcpdump prints it, without the leading time and "IP ".

    names: gives the host's name for an address; the port is added. None prints IP addresses.
    origin: ABSOLUTE prints as `tcpdump -nnS -t` does; `Origins.of` gives what `tcpdump -nn -t`
    takes off. tcpdump prints more after the length for protocols it knows; this does not.
    checksum: what is said of it behind the flags, as with `tcpdump -v`; empty for nothing.
    """
    source, destination = (
        f"{end.ip if names is None else names(end)}.{end.port}"
        for end in (segment.source, segment.destination)
    )
    parts = [f"{source} > {destination}: Flags [{segment.flags}]"]
    if checksum:
        parts.append(f"cksum {checksum}")
    if segment.length or any(map(segment.has, "SFR")):
        start = add(segment.sequence, -origin.sequence)
        parts.append(f"seq {start}" + (f":{add(start, segment.length)}" if segment.length else ""))
    if segment.acknowledgement is not None:
        parts.append(f"ack {add(segment.acknowledgement, -origin.acknowledgement)}")
    parts.append(f"win {segment.window}")
    if segment.has("U"):
        parts.append(f"urg {segment.urgent}")
    if segment.options:
        options = ",".join(option.text(origin.selective) for option in segment.options)
        parts.append(f"options [{options}]")
    parts.append(f"length {segment.length}")
    return ", ".join(parts)


def parse_pattern(text: str) -> Pattern:
    """The lines of an expectation (the module says what may be written).

    Raises NotationError, and nothing else, for what cannot be read, and when no segment is
    expected at all.
    """
    lines: list[Line | Gap] = []
    for number, written in enumerate(text.expandtabs().splitlines(), start=1):
        line = read_line(written, number)
        if line is not None:
            lines.append(line)
    if not any(isinstance(line, Line) for line in lines):
        raise NotationError("", 1, 0, "at least one segment", "client > server: Flags [S]")
    return tuple(lines)
