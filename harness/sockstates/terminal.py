"""Text that may go to a terminal, whoever wrote it.

Step and rule texts, what programs print, names and comments in other people's captures, file
names: whoever sets one of these must not move the cursor, retitle the window or turn the text
around. Every control character is replaced by one character that shows it, so that columns stay
where they are. Every printer of the project writes through here.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

_PICTURES = 0x2400
"""Unicode's pictures of C0's control characters, in the order of these; DEL's is separate."""
_KEPT = "\t\n"
_REORDERING = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What changes the direction of text, or ends a line (UAX #9, UAX #14)."""
_HARMLESS: dict[int, int | str] = {
    **{code: _PICTURES + code for code in range(0x20) if chr(code) not in _KEPT},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(0x80, 0xA0), "\N{REPLACEMENT CHARACTER}"),  # C1: 0x9b is ESC [
    **dict.fromkeys(map(ord, _REORDERING), "\N{REPLACEMENT CHARACTER}"),
    **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),  # undecodable bytes
}


def harmless(text: str) -> str:
    """The text with all but printable characters, tabs and line ends made visible."""
    return text.translate(_HARMLESS)


def harmless_line(text: str) -> str:
    """The same for what stands in one line: its line ends are made visible too."""
    return harmless(text).replace("\n", chr(_PICTURES + ord("\n")))


class OutputLost(Exception):
    """Standard output takes nothing more. No OSError, which would be taken for an input's."""


class _Checked:
    """A stream whose writing fails with OutputLost; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputLost from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputLost from error

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def checked_output() -> Iterator[None]:
    """Inside, standard output raises OutputLost where it takes nothing, and at the end too."""
    output = sys.stdout
    if output is None:  # it was closed before the program began
        raise OutputLost from OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout = cast(TextIO, _Checked(output))
    try:
        yield
    finally:
        checked, sys.stdout = sys.stdout, output
        checked.flush()


def output_lost(lost: OutputLost) -> int:
    """Say in one line why nothing more was written; nothing where the reader has gone, as `head`.

    The exit status.

    What is still in the buffer goes nowhere, or the interpreter would fail with it at its end.
    """
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    why = lost.__cause__
    if isinstance(why, BrokenPipeError):
        return 0
    reason = why.strerror if isinstance(why, OSError) else why
    sys.stderr.write(f"sockstates: standard output cannot be written: {reason}\n")
    return 1


class _Harmless:
    """A stream that makes what is written harmless; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(harmless(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def harmless_streams() -> Iterator[None]:
    """Inside, standard output and standard error show no control characters."""
    output, errors = sys.stdout, sys.stderr
    sys.stdout = cast(TextIO, _Harmless(output))
    sys.stderr = cast(TextIO, _Harmless(errors))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = output, errors
