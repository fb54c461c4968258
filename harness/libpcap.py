"""libpcap's filter expressions (pcap-filter(7)): what tcpdump takes, compiled by what compiles its.

Used through ctypes from the machine's own libpcap. Gives classic BPF for a packet socket, or judges
frames that lie in a file. Never opens an interface, and never captures.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

NAMES: Final = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so", "libpcap.A.dylib")
"""Debian's name, Fedora's, a self-compiled one's, and macOS'."""
PACKAGE: Final = "libpcap0.8"
"""What Debian calls the package that has it."""
LARGEST_FRAME: Final = 262_144
UNKNOWN_MASK: Final = 0xFFFF_FFFF
"""PCAP_NETMASK_UNKNOWN: `ip broadcast` is then refused, and nothing else."""
Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, k: struct sock_filter, linux/filter.h."""

_INSTRUCTION: Final = struct.Struct("=HBBI")
_EMPTY_FILE: Final = struct.Struct("=IHHiIII")
"""The header of a pcap file; pcap-savefile(5)."""
_MAGIC: Final = 0xA1B2C3D4
_ERROR_SIZE: Final = 256


class FilterRefused(ValueError):
    """An expression that does not compile; the message has it, and libpcap's own words."""


class LibpcapMissing(OSError):
    """There is no libpcap on this machine; the message says which package has it."""


class _Program(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class _FrameHeader(ctypes.Structure):
    """struct pcap_pkthdr."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )


def _functions() -> dict[str, tuple[Any, ...]]:
    """What is called of the library: type of the result, types of the arguments."""
    handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32
    program = ctypes.POINTER(_Program)
    return {
        "pcap_open_dead": (handle, ctypes.c_int, ctypes.c_int),
        "pcap_open_offline": (handle, text, text),
        "pcap_close": (None, handle),
        "pcap_geterr": (text, handle),
        "pcap_compile": (ctypes.c_int, handle, program, text, ctypes.c_int, number),
        "pcap_freecode": (None, program),
        "pcap_lookupnet": (ctypes.c_int, text, *[ctypes.POINTER(number)] * 2, text),
        "pcap_offline_filter": (ctypes.c_int, program, ctypes.POINTER(_FrameHeader), text),
    }


@functools.cache
def _library() -> Any:
    """The library with the types of what is called. Raises LibpcapMissing."""
    for name in NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        for function, (result, *arguments) in _functions().items():
            known = getattr(library, function)
            known.restype, known.argtypes = result, arguments
        return library
    raise LibpcapMissing(
        "filter expressions need libpcap, and it is not installed; Debian's package "
        f"{PACKAGE} has it: apt-get install {PACKAGE}"
    )


def is_here() -> bool:
    """Whether this machine has libpcap."""
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
    library = _library()
    handle = library.pcap_open_dead(link_type, LARGEST_FRAME)
    try:
        with _compiled(handle, expression, mask) as program:
            size = program.length * _INSTRUCTION.size
            octets = ctypes.string_at(program.instructions, size)
    finally:
        library.pcap_close(handle)
    return list(_INSTRUCTION.iter_unpack(octets))


@contextmanager
def _compiled(handle: int, expression: str, mask: int) -> Iterator[_Program]:
    program = _Program()
    _compile(handle, program, expression, mask)
    try:
        yield program
    finally:
        _library().pcap_freecode(ctypes.byref(program))


def _compile(handle: int, program: _Program, expression: str, mask: int) -> None:
    """pcap_compile(3PCAP), optimised as tcpdump has it. Raises FilterRefused."""
    if "\0" in expression:
        raise FilterRefused(f"filter {expression!r}: it has a character that ends a text in C")
    library = _library()
    octets = expression.encode("utf-8", "surrogateescape")
    if library.pcap_compile(handle, ctypes.byref(program), octets, 1, mask):
        reason = library.pcap_geterr(handle).decode("utf-8", "replace")
        raise FilterRefused(f"filter {expression!r}: {reason}")


def mask_of(interface: str) -> int:
    """The interface's IPv4 network mask, as tcpdump asks for it; unknown where it has none."""
    network, mask = ctypes.c_uint32(), ctypes.c_uint32()
    reason = ctypes.create_string_buffer(_ERROR_SIZE)
    numbers = ctypes.byref(network), ctypes.byref(mask)
    if _library().pcap_lookupnet(interface.encode(), *numbers, reason):
        return UNKNOWN_MASK
    return mask.value


class FileFilter:
    """An expression that judges the frames of a capture file, all of one link type."""

    def __init__(self, expression: str, link_type: int) -> None:
        """Raises FilterRefused, LibpcapMissing.

        What a file does not tell of a frame (`inbound`, say) is refused here, as tcpdump -r does.
        """
        self._program = _Program()
        library = _library()
        handle = _handle_of_a_file(link_type)
        try:
            _compile(handle, self._program, expression, UNKNOWN_MASK)
        finally:
            library.pcap_close(handle)
        weakref.finalize(self, library.pcap_freecode, ctypes.pointer(self._program))

    def keeps(self, frame: bytes, length: int) -> bool:
        """Whether the expression is true of a frame that had so many octets on the wire."""
        header = _FrameHeader(0, 0, len(frame), length)
        library = _library()
        return bool(library.pcap_offline_filter(self._program, ctypes.byref(header), frame))


def _handle_of_a_file(link_type: int) -> int:
    """A handle that compiles for files: one without frames is opened, for its link type."""
    reason = ctypes.create_string_buffer(_ERROR_SIZE)
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(_EMPTY_FILE.pack(_MAGIC, 2, 4, 0, 0, LARGEST_FRAME, link_type))
        file.flush()
        handle: int | None = _library().pcap_open_offline(file.name.encode(), reason)
    if handle is None:
        raise FilterRefused(f"link type {link_type}: {reason.value.decode('utf-8', 'replace')}")
    return handle
