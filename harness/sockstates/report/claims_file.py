"""The ledger with a run's verdicts as JSON, for programs: ``claims.json`` in a report's folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sockstates.ledger.claims import Ledger
from sockstates.ledger.judging import Judgement

LEDGER_FILE = "claims.json"
FORMAT, VERSION = "sockstates claims", 1


def ledger_json(ledger: Ledger, judgements: Iterable[Judgement]) -> str:
    """The articles with their claims; ``run`` is what this run said of each.

    run.verdict: null when nothing was run. run.whole: whether all of its scenarios were. The pages
    of run.shown_by are paths below the report's folder.
    """
    by_id = {each.claim.id: each for each in judgements}
    articles = [
        {
            "name": article.name,
            "title": article.title,
            "about": article.about,
            "claims": [asdict(claim) | {"run": _run(by_id[claim.id])} for claim in article.claims],
        }
        for article in ledger.articles
    ]
    whole = {"format": FORMAT, "version": VERSION, "articles": articles}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _run(judgement: Judgement) -> dict[str, Any]:
    return {
        "verdict": judgement.verdict,
        "whole": judgement.whole,
        "problems": judgement.problems,
        "shown_by": [asdict(each) for each in judgement.showings],
    }
