"""What is said to people about a program: why it could not start, how it ended, what it wrote."""

from __future__ import annotations

import errno
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

from sockstates.programs import find_program, missing_program

LONGEST_COMMAND = 60
SHELL_OPERATORS = ("|", "||", "&", "&&", ";", "<", ">", ">>", "<<")
LONGEST_TEXT = 1500
"""Characters of a program's output that are shown in a message: less than a screen."""


def command_text(words: Sequence[str]) -> str:
    """A command on one line, its end left out when it is long."""
    text = " ".join(" ".join(words).split())
    return text if len(text) <= LONGEST_COMMAND else text[: LONGEST_COMMAND - 1] + "…"


def status_text(status: int) -> str:
    """An exit status as people read it."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"exit status {status}"


def output_text(data: bytes) -> str:
    """The end of what was written, set under a heading twelve columns wide."""
    text = data.decode(errors="replace").strip()
    if not text:
        return "(nothing)"
    if len(text) > LONGEST_TEXT:
        text = f"(the last {LONGEST_TEXT} of {len(data)} bytes)\n" + text[-LONGEST_TEXT:]
    return text.replace("\n", "\n            ")


def shell_operator(command: str) -> str:
    """What of a command line only a shell understands, the first such word; empty: nothing."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return next((word for word in lexer if word in SHELL_OPERATORS), "")


def not_started(host: str, words: tuple[str, ...], directory: str | None, error: OSError) -> str:
    """Why a command could not be started, and what to do about it."""
    return f"{host} cannot run {command_text(words)!r}: {_reason(words[0], directory, error)}"


def _reason(program: str, directory: str | None, error: OSError) -> str:
    if directory is not None and not Path(directory).is_dir():
        return f"{directory} is no folder"
    if error.errno == errno.ENOEXEC:
        return f"{program} is a script without a first line '#!…' that names its interpreter"
    found = find_program(program)
    if found and error.errno == errno.ENOENT:
        return f"the interpreter that the first line of {found} names does not exist"
    if found or "/" in program:
        return str(error)
    return missing_program(program) or str(error)
