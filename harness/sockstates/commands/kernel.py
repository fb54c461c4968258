"""``sockstates kernel``: build, list and remove kernels with a clock of their own.

A virtual kernel is a Linux that runs as a program (User Mode Linux), without root, with the
machine's files and with time of its own: while all of it sleeps, its clock jumps to what comes
next. Two hours of waiting for a timer take seconds. Scenarios run in one as they run on the
machine itself; where none can be built, they go on running on the machine itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sockstates.virtual import building, choosing, kernels, removing, trees
from sockstates.virtual.debian import Offer
from sockstates.virtual.errors import BuildImpossible, VirtualError
from sockstates.virtual.requirements import COMPILING, DISK, FETCHING, gigabytes, size_below

FAILED = 1
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit status: 0, 1 when it failed, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        chosen = _parser().parse_args(arguments)
        if chosen.what == "build":
            wish = building.Wish(chosen.version, chosen.source, chosen.force, chosen.keep_tree)
            building.build(wish, _say)
        elif chosen.what == "list":
            _say(_built_table())
            if chosen.available:
                _say(_available_table())
        else:
            for line in removing.remove(chosen.versions, chosen.all):
                _say(line)
    except VirtualError as error:
        sys.stderr.write(f"kernel {' '.join(arguments[:1])}: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. The same command goes on where it was: {_again()}\n")
        return INTERRUPTED
    return 0


def _again() -> str:
    return f"sockstates {' '.join(sys.argv[1:])}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


BUILD = f"""\
Builds a small static kernel (about 10 MB) out of Debian's package linux-source-V, checks by
booting it that its clock is its own, and puts it into {{folder}}
(sockstates/kernels in XDG_CACHE_HOME). No root is needed, and the machine's packages are not
touched: apt gets a configuration of its own, with the machine's own mirror.

needs: {", ".join([*COMPILING, *FETCHING, "libc.a"])};
{gigabytes(DISK)} of disk while it builds; about 8 minutes of processor time. Ctrl-C interrupts it;
the same command goes on where it was.
"""


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="sockstates kernel",
        description=__doc__.partition(": ")[2] if __doc__ else "",
        allow_abbrev=False,
        formatter_class=raw,
    )
    commands = parser.add_subparsers(dest="what", required=True, metavar="build|list|remove")
    build = commands.add_parser(
        "build",
        help="build a kernel",
        description=BUILD.format(folder=kernels.kernels_folder()),
        allow_abbrev=False,
        formatter_class=raw,
    )
    build.add_argument(
        "--version",
        metavar="V",
        help="as in 6.12, or `newest` of all of Debian's releases; "
        "the newest of the machine's own release by default",
    )
    build.add_argument(
        "--source", type=_path, metavar="PATH", help="a kernel's tarball or tree; it is not changed"
    )
    build.add_argument("--force", action="store_true", help="also what is built already")
    build.add_argument(
        "--keep-tree", action="store_true", help="leave the folder in which it was built"
    )
    listing = commands.add_parser("list", help="say what is built", allow_abbrev=False)
    listing.add_argument(
        "--available", action="store_true", help="also what could be: asks Debian's archive"
    )
    remove = commands.add_parser("remove", help="remove built kernels", allow_abbrev=False)
    remove.add_argument("versions", nargs="*", metavar="V", help="as in 6.12")
    remove.add_argument("--all", action="store_true", help="all of them, and what builds left")
    return parser


def _path(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _built_table() -> str:
    rows = [
        (
            kernel.version,
            kernel.release,
            str(kernel.hz),
            f"{kernel.path.stat().st_size / 1e6:.1f} MB",
            str(kernel.path),
        )
        for kernel in kernels.built()
    ]
    unfinished = [
        f"Linux {version} is unfinished, {gigabytes(size_below(folder))} in {folder}: "
        f"the command that began it goes on, `kernel remove {version}` removes it"
        for version, folder in removing.unfinished()
    ]
    if not rows:
        none = f"No virtual kernel is built in {kernels.kernels_folder()}: {kernels.KERNEL_BUILD}"
        return "\n".join([none, *unfinished])
    return "\n".join([table([("version", "release", "HZ", "size", "where"), *rows]), *unfinished])


def _available_table() -> str:
    installed = trees.installed_tarballs()
    offers: list[Offer] = []
    complaints = ""
    try:
        archive = choosing.archive()
        offers, complaints = archive.offers(), archive.complaints
    except BuildImpossible as error:
        complaints = str(error)
    rows = [(version, "", str(path)) for version, path in installed.items()]
    rows += [(offer.version, offer.package_version, offer.suite) for offer in offers]
    rows.sort(key=lambda row: kernels.version_order(row[0]))
    text = table([("could be built", "package", "from"), *rows]) if rows else "No source is known."
    return "\n".join(part for part in ("", text, complaints) if part or part is not complaints)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
