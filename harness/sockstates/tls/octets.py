"""Takes bytes apart as RFC 8446, section 3, writes them: numbers, and vectors behind a length.

It never reads beyond what is there: a length that promises more is a `TlsError`.
"""

from __future__ import annotations

from collections.abc import Iterator


class TlsError(Exception):
    """What was captured is not what TLS says it is; the message says where, and how."""


class NotSeen(TlsError):
    """Something that was asked for is not in the capture; the message says why."""


class Octets:
    """What is left of a structure. `what` names it in errors."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._position = 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return len(self._data) - self._position

    def take(self, count: int, field: str) -> bytes:
        """The next `count` bytes. Raises TlsError when there are fewer."""
        if count > self.left:
            raise TlsError(f"{self._what}: {field} needs {count} bytes; {self.left} are left")
        start = self._position
        self._position += count
        return self._data[start : self._position]

    def number(self, size: int, field: str) -> int:
        """The next `size` bytes as a number."""
        return int.from_bytes(self.take(size, field), "big")

    def vector(self, size: int, field: str) -> bytes:
        """What stands behind its own length, which has `size` bytes."""
        return self.take(self.number(size, f"the length of {field}"), field)

    def parts(self, size: int, field: str) -> Octets:
        """The same, to be taken apart further."""
        return Octets(self.vector(size, field), f"{self._what}: {field}")

    def numbers(self, size: int, field: str) -> Iterator[int]:
        """All that is left, as numbers of `size` bytes."""
        while self.left:
            yield self.number(size, field)

    def end(self) -> None:
        """Raises TlsError when something is left."""
        if self.left:
            raise TlsError(f"{self._what}: {self.left} bytes are left at its end")
