"""The pipes between a host's agent and the programs that it runs: what is typed, what is written.

Nothing here blocks. What a program does not read yet waits here; what it writes is taken at once,
so that it never waits for us either, and kept up to a limit, so that a program that writes without
end fills nobody's memory.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable
from typing import IO

from sockstates.record.events import ProgramWrote

LARGEST_READ = 1 << 16
LARGEST_OUTPUT = 4 << 20
"""Bytes kept of each stream of a program."""


class Output:
    """One output of a program, as the selector knows it."""

    def __init__(
        self,
        pipe: IO[bytes],
        selector: selectors.BaseSelector,
        record: Callable[[bytes, bool], None],
    ) -> None:
        self._pipe = pipe
        self._selector = selector
        self._record = record
        self._room = LARGEST_OUTPUT
        self._cut = False
        os.set_blocking(pipe.fileno(), False)
        selector.register(pipe, selectors.EVENT_READ, self)

    def ready(self) -> None:
        """The program wrote, or closed it; once for each time that the selector says so."""
        if not self._pipe.closed:
            with contextlib.suppress(BlockingIOError):
                self._read()

    def read_rest(self) -> None:
        """Take what the program wrote last; a descendant that still has it open may write on."""
        with contextlib.suppress(BlockingIOError):
            while not self._pipe.closed and self._room:
                self._read()

    def _read(self) -> None:
        data = os.read(self._pipe.fileno(), LARGEST_READ)
        if not data:
            self._selector.unregister(self._pipe)
            self._pipe.close()
            return
        kept = data[: self._room]
        self._room -= len(kept)
        if kept:
            self._record(kept, False)
        if len(kept) < len(data) and not self._cut:
            self._cut = True
            self._record(b"", True)


class Input:
    """The standard input of a program: a queue that it reads at its own pace."""

    def __init__(self, pipe: IO[bytes], selector: selectors.BaseSelector) -> None:
        self._pipe = pipe
        self._selector = selector
        self._waiting = bytearray()
        self._ending = False
        os.set_blocking(pipe.fileno(), False)

    @property
    def closed(self) -> bool:
        """Whether nothing can be typed any more."""
        return self._ending or self._pipe.closed

    def write(self, data: bytes) -> None:
        """Type this. Errors: ValueError when nobody can read it any more."""
        if self.closed:
            raise ValueError("its standard input is closed")
        self._waiting += data
        self.ready()
        if self._pipe.closed:
            raise ValueError("it has closed its standard input")

    def end(self) -> None:
        """End of file, once everything typed has been read."""
        self._ending = True
        self.ready()

    def ready(self) -> None:
        """Write what the pipe takes now, and wait for room for the rest."""
        if self._pipe.closed:
            return
        try:
            while self._waiting:
                del self._waiting[: os.write(self._pipe.fileno(), self._waiting)]
        except BlockingIOError:
            self._wait_for_room()
            return
        except BrokenPipeError:
            self.close()
            return
        self._stop_waiting()
        if self._ending:
            self.close()

    def close(self) -> None:
        """Close it, whatever still waits."""
        if not self._pipe.closed:
            self._stop_waiting()
            self._pipe.close()

    def _wait_for_room(self) -> None:
        if self._pipe not in self._selector.get_map():
            self._selector.register(self._pipe, selectors.EVENT_WRITE, self)

    def _stop_waiting(self) -> None:
        if self._pipe in self._selector.get_map():
            self._selector.unregister(self._pipe)


def recorder(
    record: Callable[[ProgramWrote], None], host: str, program: int, stream: str
) -> Callable[[bytes, bool], None]:
    """What puts the output of one stream into the evidence."""
    return lambda data, cut: record(ProgramWrote(time.time_ns(), host, program, stream, data, cut))
