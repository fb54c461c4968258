"""``sockstates compare REPORT REPORT``: whether two runs of the scenarios agree.

Two folders of ``--lab-report``: of a virtual kernel and of this machine's, of two kernels, of
yesterday and today. Compared are, for each scenario that both have, the settings, the states that
each end passed through, when each segment was sent again, and how each call ended. Nothing here
needs a lab, root, or Linux.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sockstates.evidence.two_runs import Finding
from sockstates.report.run_reports import compared, recorded_by, recordings
from sockstates.report.timeline_file import TimelineFileError

AGREE, DIFFER, NOTHING_TO_COMPARE = 0, 1, 1


def main(arguments: Sequence[str]) -> int:
    """Compare; the exit status: 0 when all agree, 1 when not or nothing is common, 2 wrong use."""
    chosen = _parser().parse_args(arguments)
    reports: tuple[Path, Path] = chosen.first, chosen.second
    try:
        return _compare(*reports, without=chosen.without, verbose=chosen.verbose)
    except TimelineFileError as reason:
        sys.stderr.write(f"{reason}\n")
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror or error}\n")
    return NOTHING_TO_COMPARE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sockstates compare", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("first", type=Path, metavar="REPORT", help="a folder of --lab-report")
    parser.add_argument("second", type=Path, metavar="REPORT", help="another one")
    parser.add_argument(
        "--without",
        metavar="TEXT",
        help="leave out scenarios with this in their folder's name: `scenarios-https`, say, where "
        "two programs race to close, and random certificates differ in length",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="name the scenarios that agree too, and what only one of the two could see",
    )
    return parser


def _compare(first: Path, second: Path, *, without: str | None, verbose: bool) -> int:
    here, there = recordings(first, without), recordings(second, without)
    both = here.keys() & there.keys()
    if not both:
        sys.stderr.write(
            f"there is no scenario that both reports have: {len(here)} are in {first}, "
            f"{len(there)} in {second}. A report is what `pytest --lab-report DIR` writes\n"
        )
        return NOTHING_TO_COMPARE
    one = min(both)
    sys.stdout.write(f"first   {recorded_by(here[one])}: {first}\n")
    sys.stdout.write(f"second  {recorded_by(there[one])}: {second}\n")
    differing = 0
    for name, found in compared(first, second, without):
        differs = any(each.differs for each in found)
        differing += differs
        if differs or verbose:
            sys.stdout.write(_text(name, found, verbose=verbose))
    sys.stdout.write(_summary(len(both), differing, len(here), len(there)))
    return DIFFER if differing else AGREE


def _text(name: str, found: Sequence[Finding], *, verbose: bool) -> str:
    differs = any(each.differs for each in found)
    lines = [f"{'differs' if differs else 'agrees ':<7} {name}"]
    for each in found:
        if each.differs or verbose:
            lines.append(f"    {each.what}" + ("" if each.differs else " (seen by one only)"))
            lines += [f"        first   {each.first}", f"        second  {each.second}"]
    return "\n".join(lines) + "\n"


def _summary(both: int, differing: int, here: int, there: int) -> str:
    text = f"{both - differing} of {both} scenarios agree"
    alone = [
        f"{count - both} only in the {which}"
        for which, count in (("first", here), ("second", there))
        if count > both
    ]
    return "; ".join([text, *alone]) + "\n"
