"""tcpdump's filter expressions (pcap-filter(7)), compiled by libpcap.

Gives classic BPF for a packet socket, or judges frames that lie in a file. Never opens an
interface, and never captures. libpcap comes with the Python package cypcap, whose wheels contain
it; it is imported at the first expression.
"""

from __future__ import annotations

import platform
import struct
import sys
import tempfile
from typing import Any, Final

from sockstates.programs import install_commands

PACKAGE: Final = "cypcap"
"""The Python package that brings libpcap."""
WHEELS_FOR: Final = ("linux", "x86_64")
"""System and processor that its wheels are for; pyproject.toml requires it there, and only there,
so that sockstates can be installed without a compiler everywhere else."""
TO_BUILD: Final = ("gcc", "libpcap-dev", "python3-dev")
"""Debian packages that it is built with where there is no wheel."""
LARGEST_FRAME: Final = 262_144
UNKNOWN_MASK: Final = 0xFFFF_FFFF
"""PCAP_NETMASK_UNKNOWN: `ip broadcast` is then refused, and nothing else."""
Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, k: struct sock_filter, linux/filter.h."""

_EMPTY_FILE: Final = struct.Struct("=IHHiIII")
"""The header of a pcap file; pcap-savefile(5)."""
_MAGIC: Final = 0xA1B2C3D4


class FilterRefused(ValueError):
    """An expression that does not compile; the message has it, and libpcap's own words."""


class LibpcapMissing(OSError):
    """cypcap is not installed, or does not load; the message says how to install it."""


def installation() -> tuple[str, ...]:
    """The command lines that install cypcap on this machine."""
    if _has_wheel():
        return (f"pip install {PACKAGE}",)
    return *install_commands(TO_BUILD), f"pip install {PACKAGE}"


def _has_wheel() -> bool:
    return (sys.platform, platform.machine()) == WHEELS_FOR


def _library() -> Any:
    """The package cypcap. Raises LibpcapMissing."""
    try:
        import cypcap
    except ImportError as error:
        built = f", which has no wheel for {platform.machine()} and must be built"
        raise LibpcapMissing(
            f"filter expressions need the Python package {PACKAGE}"
            f"{'' if _has_wheel() else built}: {' && '.join(installation())}"
        ) from error
    return cypcap


def is_here() -> bool:
    """Whether expressions can be compiled."""
    try:
        _library()
    except LibpcapMissing:
        return False
    return True


def compile_live(expression: str, link_type: int, mask: int = UNKNOWN_MASK) -> list[Instruction]:
    """An expression as a program for a packet socket whose frames begin with this link's header.

    mask: the network's, as `mask_of` gives it. Names of hosts and ports are looked up where this
    process lives. Raises FilterRefused, LibpcapMissing.
    """
    with _library().open_dead(link_type, LARGEST_FRAME) as handle:
        return list(_compiled(handle, expression, mask))


def _compiled(handle: Any, expression: str, mask: int) -> Any:
    """pcap_compile(3PCAP), optimised as tcpdump has it. Raises FilterRefused."""
    if "\0" in expression:
        raise FilterRefused(f"filter {expression!r}: it has a character that ends a text in C")
    try:
        return handle.compile(expression, optimize=True, netmask=mask)
    except _library().Error as error:
        raise FilterRefused(f"filter {expression!r}: {_reason(error)}") from None
    except UnicodeEncodeError:
        raise FilterRefused(f"filter {expression!r}: it is not valid UTF-8") from None


def _reason(error: Exception) -> str:
    """What libpcap said; the arguments of cypcap's Error are its code and its text."""
    return str(error.args[-1])


def mask_of(interface: str) -> int:
    """The interface's IPv4 network mask, as tcpdump asks for it; unknown where it has none."""
    library = _library()
    try:
        _, mask = library.lookupnet(interface)
    except library.Error:
        return UNKNOWN_MASK
    return int(mask)


class FileFilter:
    """An expression that judges the frames of a capture file, all of one link type."""

    def __init__(self, expression: str, link_type: int) -> None:
        """Raises FilterRefused, LibpcapMissing.

        What a file does not tell of a frame (`inbound`, say) is refused here, as tcpdump -r does:
        a file without frames is opened, for its link type.
        """
        library = _library()
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            file.write(_EMPTY_FILE.pack(_MAGIC, 2, 4, 0, 0, LARGEST_FRAME, link_type))
            file.flush()
            try:
                handle = library.open_offline(file.name)
            except library.Error as error:
                raise FilterRefused(f"link type {link_type}: {_reason(error)}") from None
            with handle:
                self._program = _compiled(handle, expression, UNKNOWN_MASK)

    def keeps(self, frame: bytes, length: int) -> bool:
        """Whether the expression is true of a frame that had so many bytes on the wire."""
        header = _library().Pkthdr(ts=0, caplen=len(frame), len=length)
        return bool(self._program.offline_filter(header, frame))
