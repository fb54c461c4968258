"""``sockstates netstat TIMELINE.jsonl --host server --at 1.5``: a host's table of sockets.

The table that netstat(8) would have printed on a host of a saved timeline at that moment. Nothing
here needs a lab, root, or Linux.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sockstates.evidence.netstat import netstat_table
from sockstates.evidence.sockets_at import MomentNotRecorded
from sockstates.record.events import NANOSECONDS
from sockstates.report.timeline_file import TimelineFileError, read_timeline

NOTHING_TO_SHOW = 1


def main(arguments: Sequence[str]) -> int:
    """Print a table; the exit status: 0, or 1 when there is none, 2 for wrong usage."""
    chosen = _parser().parse_args(arguments)
    try:
        timeline = read_timeline(chosen.file)
        moment = None
        if chosen.at is not None:
            moment = timeline.beginning() + round(chosen.at * NANOSECONDS)
        sys.stdout.write(netstat_table(timeline, chosen.host, moment))
    except (MomentNotRecorded, TimelineFileError, UnicodeDecodeError) as reason:
        sys.stderr.write(f"{chosen.file}: {reason}\n")
        return NOTHING_TO_SHOW
    except OSError as error:
        sys.stderr.write(f"{chosen.file}: {error.strerror or error}\n")
        return NOTHING_TO_SHOW
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sockstates netstat", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("file", type=Path, help="a timeline.jsonl that a report has kept")
    parser.add_argument("--host", required=True, help="whose sockets: server")
    parser.add_argument(
        "--at",
        type=float,
        metavar="SECONDS",
        help="after the scenario's beginning, as its page counts; at its end by default",
    )
    return parser
