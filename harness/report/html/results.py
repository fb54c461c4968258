"""How one scenario went, as the index lists it: a small file beside each page.

The files are how pages written by several processes come together in one index.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

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
    folder = base / result.folder
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), indent=1)
    (folder / RESULT_FILE).write_text(text + "\n", encoding="utf-8")


def read_results(base: Path) -> list[Result]:
    """Every result below `base`, by name. A file that is not one of ours is passed over."""
    found = [_read(path) for path in sorted(base.glob(f"*/{RESULT_FILE}"))]
    return sorted((result for result in found if result), key=lambda result: result.name)


def _read(path: Path) -> Result | None:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(written.get(name, ())) for name in LISTS}
        result = Result(**written | lists | {"folder": path.parent.name})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return result if result.verdict in VERDICTS else None


def mark_stale(base: Path, results: list[Result]) -> None:
    """Have the pages of these results, which are not this run's, say so at their top."""
    for result in results:
        path = base / result.folder / PAGE_FILE
        if path.is_file():
            written = path.read_text(encoding="utf-8")
            marked = written.replace('<body class="current">', '<body class="stale">', 1)
            if marked != written:
                path.write_text(marked, encoding="utf-8")
