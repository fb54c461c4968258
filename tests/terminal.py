"""A terminal for programs under test: a pseudo-terminal, and the screen that a person would see."""

import os
import pty
import re
import select
import time
from collections.abc import Mapping, Sequence

WIDTH = 80
LIMIT = 240.0
"""Seconds after which a program hangs: on a busy machine it takes long only to start."""
_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n\b])|([^\x1b\r\n\b]+)")


class Terminal:
    """A program in a terminal of its own: what it wrote, and a keyboard for it."""

    def __init__(self, command: Sequence[str], directory: os.PathLike[str]) -> None:
        self.pid, self._keyboard = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(command[0], list(command), _environment())
        self.written = ""

    def wait_for(self, text: str, times: int = 1) -> str:
        """Everything written until now, as soon as `text` is so often on the screen's tape."""
        deadline = time.monotonic() + LIMIT
        while self.written.count(text) < times:
            assert self._read(deadline - time.monotonic()), f"no {text!r} in\n{self.written}"
        return self.written

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def ends(self) -> int:
        """Wait until the program has ended; its exit status."""
        deadline = time.monotonic() + LIMIT
        while self._read(deadline - time.monotonic()):
            pass
        assert time.monotonic() < deadline, self.written
        _, status = os.waitpid(self.pid, 0)
        os.close(self._keyboard)
        return os.waitstatus_to_exitcode(status)

    def _read(self, seconds: float) -> bool:
        """Take in what comes next; False at the end, or when nothing came in time."""
        if not select.select([self._keyboard], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:  # EIO: every process has closed the terminal
            return False
        self.written += data.decode(errors="replace")
        return bool(data)


def _environment() -> Mapping[str, str]:
    return os.environ | {"TERM": "xterm", "COLUMNS": str(WIDTH), "NO_COLOR": "1"}


def screen(written: str) -> list[str]:
    """The lines that `written` leaves on a screen that is high enough."""
    lines, row, column = [""], 0, 0
    for code, action, control, text in _PIECE.findall(written):
        if text:
            lines[row] = (
                f"{lines[row]:<{column}}"[:column] + text + lines[row][column + len(text) :]
            )
            column += len(text)
        elif control == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif control == "\r":
            column = 0
        elif control == "\b":
            column -= 1
        elif action == "K":
            lines[row] = lines[row][:column]
        elif action == "A":
            row -= 1
        elif action == "G":
            column = int(code) - 1
    return [line.rstrip() for line in lines]
