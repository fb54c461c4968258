"""How one scenario went, as the index lists it: a small file beside each page.

The files are how pages written by several processes come together in one index.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from sockstates.report.folder import Folder

Verdict = Literal["passed", "failed", "inconclusive", "error", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
RESULT_FILE, PAGE_FILE, INDEX_FILE = "result.json", "page.html", "index.html"
LISTS = ("claims", "refutes", "figures", "states", "phenomena")


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one scenario.

    run: which run of the harness it belongs to; when: that it ended (ns since the epoch).
    seconds: how long the scenario took. folder: its own one below the report's. page: whether
    there is one; not for what never began. message: what pytest said when it did not pass.
    claims: what it shows; refutes: those of them that it shows not to hold as written. figures:
    what it measured to prove it.
    states: ``server FIN_WAIT1`` and so on, each once, in the order of time.
    phenomena: its numbers in the catalogue of timeouts; symptom: what a person sees of them.
    """

    run: str
    name: str
    title: str
    folder: str
    verdict: Verdict
    seconds: float = 0.0
    when: int = 0
    family: str = ""
    claims: tuple[str, ...] = ()
    refutes: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    phenomena: tuple[str, ...] = ()
    symptom: str = ""
    message: str = ""
    page: bool = False
    group: str = ""


def write_result(result: Result, base: Path) -> None:
    """Write the file into the scenario's folder, which is made where it is missing."""
    text = json.dumps(asdict(result), indent=1)
    with Folder(base) as report, report.below(result.folder) as folder:
        folder.write_text(RESULT_FILE, text + "\n")


def read_results(base: Path) -> list[Result]:
    """Every result below `base`, by name. A file that is not one of ours is passed over."""
    with Folder(base) as report:
        found = [_read(report, name) for name in report.names()]
    return sorted((result for result in found if result), key=lambda result: result.name)


def _read(report: Folder, name: str) -> Result | None:
    try:
        with report.below(name, make=False) as folder:
            written = json.loads(folder.read_text(RESULT_FILE))
        lists = {name: tuple(written.get(name, ())) for name in LISTS}
        result = Result(**written | lists | {"folder": name})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return result if result.verdict in VERDICTS else None


def mark_stale(base: Path, results: list[Result]) -> None:
    """Have the pages of these results, which are not this run's, say so at their top."""
    with Folder(base) as report:
        for result in results:
            with suppress(FileNotFoundError), report.below(result.folder, make=False) as folder:
                written = folder.read_text(PAGE_FILE)
                marked = written.replace('<body class="current">', '<body class="stale">', 1)
                if marked != written:
                    folder.write_text(PAGE_FILE, marked)
