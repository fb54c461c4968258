"""``sockstates virtual``: any command in a virtual kernel.

Runs any command in a virtual kernel, where waiting takes no time. The command
sees this machine's files, has a network of its own with nothing but loopback,
and is root in there, whoever you are here. What it writes to its standard
output and error appears on yours. What it writes into the current folder,
where it runs, is kept; everything else that it writes stays in the guest and
is gone with it. Its standard input is empty.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from sockstates.system import VIRTUAL
from sockstates.virtual import init, kernels
from sockstates.virtual.errors import VirtualError
from sockstates.virtual.guest import LIMIT, Guest

FAILED = 125
"""What timeout(1) and env(1) say when it was they that failed."""
SIGNALLED = 128
MARK = "--"
NOT_SHARED = tuple(map(Path, ("/proc", "/sys", "/dev", "/run")))
"""Where a guest has its own files; what lies deeper in the last two can be shared."""
_CHUNK = 1 << 16

EPILOG = f"""\
exit status: the command's own, 128 + N when signal N ended it; {FAILED} when there
was no kernel to run it in, or it did not come to an end within the limit; 2 for
wrong usage.

examples:
  sockstates virtual -- sleep 7200
  sockstates virtual --kernel 6.12 --write results -- pytest tests/
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command after ``--``; the exit status is as `EPILOG` says."""
    parser = _parser()
    before, command = _parted(parser, list(arguments))
    chosen = parser.parse_args(before)
    if not command:
        parser.error(f"no command is given: write it after {MARK}, as in {MARK} sleep 7200")
    if VIRTUAL in os.environ:
        parser.error("this is a virtual kernel already; run the command itself")
    try:
        shared = [] if chosen.write_nothing else [Path.cwd()]
        shared += [_folder(parser, path) for path in chosen.write]
        _check_shared(parser, [path.resolve() for path in shared])
        with _ends_in_order():
            return _run(chosen, command, shared)
    except VirtualError as error:
        sys.stderr.write(f"virtual: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SIGNALLED + signal.SIGPIPE


def _run(chosen: argparse.Namespace, command: Sequence[str], shared: Sequence[Path]) -> int:
    kernel = kernels.find(chosen.kernel)
    environment = dict(os.environ)
    if sys.stdout.isatty():
        environment.setdefault("COLUMNS", str(shutil.get_terminal_size().columns))
    with Guest(
        kernel,
        command,
        directory=Path.cwd(),
        shared=shared,
        environment=environment,
        limit=chosen.limit,
        spins=chosen.spins,
    ) as guest:
        copies = [
            _Copy(guest.folder / init.OUTPUT, sys.stdout.buffer),
            _Copy(guest.folder / init.ERRORS, sys.stderr.buffer),
        ]

        def follow() -> None:
            for copy in copies:
                copy.go_on()

        status = guest.wait(follow)
        seconds = guest.kernel_seconds() or 0.0
        sys.stderr.write(
            f"virtual: Linux {kernel.release}, {seconds:,.1f} kernel seconds "
            f"in {guest.seconds:.1f} s\n"
        )
        return status


class _Copy:
    """What a growing file holds, copied as it grows."""

    def __init__(self, source: Path, target: BinaryIO) -> None:
        self._source, self._target = source, target
        self._offset = 0

    def go_on(self) -> None:
        """Copy what is new; it is out when this returns."""
        if self._source.stat().st_size == self._offset:
            return
        with self._source.open("rb") as written:
            written.seek(self._offset)
            while text := written.read(_CHUNK):
                self._target.write(text)
                self._offset += len(text)
        self._target.flush()


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """Remove what is ours when SIGTERM or SIGHUP end us, as with Ctrl-C."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(SIGNALLED + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parted(parser: argparse.ArgumentParser, words: list[str]) -> tuple[list[str], list[str]]:
    """What is ours, and the command."""
    if MARK in words:
        at = words.index(MARK)
        return words[:at], words[at + 1 :]
    unknown = parser.parse_known_args(words)[1]
    if unknown:
        parser.error(f"a command is written after {MARK}, as in {MARK} {' '.join(unknown)}")
    return words, []


def _folder(parser: argparse.ArgumentParser, path: Path) -> Path:
    if not path.is_dir():
        parser.error(f"--write {path}: no such folder; make it first")
    return path


def _check_shared(parser: argparse.ArgumentParser, folders: Sequence[Path]) -> None:
    """Sharing all the machine's files would be sharing none of the guest's own."""
    for folder in folders:
        own = folder in NOT_SHARED or any(folder.is_relative_to(each) for each in NOT_SHARED[:2])
        if own or folder == Path("/"):
            parser.error(
                f"{folder} cannot be shared with a virtual kernel, which has its own; "
                "go to another folder, or say --write-nothing"
            )


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def _version(text: str) -> str:
    if not kernels.VERSION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: write the version like 6.12")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sockstates virtual",
        usage="%(prog)s [options] -- COMMAND [ARGUMENT…]",
        description=__doc__.partition("\n\n")[2] if __doc__ else "",
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--kernel", type=_version, metavar="V", help="as in 6.12; the newest that is built"
    )
    parser.add_argument(
        "--limit",
        type=_seconds,
        default=LIMIT,
        metavar="SECONDS",
        help="end it after so many of this machine's seconds (default %(default)g)",
    )
    parser.add_argument(
        "--spins",
        action="store_true",
        help="let computing take time too, for programs that wait by looking at the clock again "
        "and again, which hang otherwise",
    )
    parser.add_argument(
        "--write",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="keep what it writes there, too; may be repeated",
    )
    parser.add_argument(
        "--write-nothing", action="store_true", help="do not keep what it writes where it runs"
    )
    return parser
