"""The ledger with a run's verdicts as a table for a terminal: text, at most 80 columns. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sockstates.ledger.claims import CONDITION, FALSE, HOLDS, Ledger, verdict_text
from sockstates.ledger.judging import NAMED, Judgement

WIDTH = 80
ID_WIDTH = 5
LABEL_WIDTH = 11
FIGURE_LINES = 8
"""Lines of one figure; of a longer one it says how many there are more."""
NOT_RUN = "not run"


def ledger_lines(ledger: Ledger, judgements: Iterable[Judgement]) -> Iterator[str]:
    """Every article with its claims: what each says, the verdict, the figure, the scenarios."""
    by_id = {each.claim.id: each for each in judgements}
    for article in ledger.articles:
        yield ""
        yield from textwrap.wrap(f"{article.title} ({article.name})", WIDTH)
        for claim in article.claims:
            yield ""
            yield from _entry(by_id[claim.id])


def count_line(judgements: Sequence[Judgement]) -> str:
    """How many claims there are of each verdict: ``52 claims: 40 hold, …``."""
    words = {
        HOLDS: ("holds", "hold"),
        CONDITION: ("holds under a condition", "hold under a condition"),
        FALSE: ("is false here", "are false here"),
        None: ("was not run", "were not run"),
    }
    counts = Counter(each.verdict for each in judgements)
    told = ", ".join(
        f"{counts[verdict]} {said[counts[verdict] > 1]}"
        for verdict, said in words.items()
        if counts[verdict]
    )
    plural = "" if len(judgements) == 1 else "s"
    return f"{len(judgements)} claim{plural}" + (f": {told}" if told else "")


def problem_lines(problems: Iterable[str]) -> Iterator[str]:
    """Why a run is red, folded."""
    for problem in problems:
        yield from textwrap.wrap(problem, WIDTH, subsequent_indent="    ")


def verdict_of_run(judgement: Judgement) -> str:
    """The verdict that this run gave, in words; where the ledger has another, that one too."""
    claim = judgement.claim
    if judgement.verdict is None:
        return f"{NOT_RUN}; the ledger says: {claim.verdict}"
    said = verdict_text(judgement.verdict, claim)
    if judgement.verdict != claim.verdict:
        said += f"; the ledger says: {claim.verdict}"
    return said if judgement.whole else f"{said} (in a part of the scenarios)"


def _entry(judgement: Judgement) -> Iterator[str]:
    claim = judgement.claim
    indent = " " * (max(len(claim.id), ID_WIDTH - 1) + 1)
    yield from textwrap.wrap(
        f"{claim.id:<{ID_WIDTH - 1}} {claim.says}", WIDTH, subsequent_indent=indent
    )
    yield from _labelled("verdict", verdict_of_run(judgement))
    yield from _figures("figure", judgement.figures(holds=True))
    yield from _figures(
        "instead" if judgement.verdict == FALSE else "otherwise", judgement.figures(holds=False)
    )
    names = judgement.scenarios
    for number, name in enumerate(names[:NAMED]):
        yield from _labelled("" if number else "shown by", name)
    if len(names) > NAMED:
        yield from _labelled("", f"and {len(names) - NAMED} more")


def _figures(label: str, figures: Sequence[str]) -> Iterator[str]:
    lines = [line for figure in figures for line in figure.splitlines()]
    for number, line in enumerate(lines[:FIGURE_LINES]):
        yield from _labelled("" if number else label, line)
    if len(lines) > FIGURE_LINES:
        yield from _labelled("", f"and {len(lines) - FIGURE_LINES} more lines")


def _labelled(label: str, text: str) -> list[str]:
    first = f"{' ' * ID_WIDTH}{label:<{LABEL_WIDTH}}"
    # A long name is cut into lines rather than left to stand out of the table.
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))
