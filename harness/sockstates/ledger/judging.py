"""What a run says of each claim, and where ledger and run disagree. Pure: it looks at outcomes.

A claim with passed scenarios that show it and others that show the contrary holds under a
condition; one with the second sort alone is false here. What was not run decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sockstates.ledger.claims import CONDITION, FALSE, HOLDS, Claim, Ledger, Verdict, nearest

Outcome = Literal["passed", "failed", "skipped"]
NAMED = 3
"""Scenarios that a message names; of more it says how many there are."""


@dataclass(frozen=True, slots=True)
class Showing:
    """One run of a scenario that names a claim.

    scenario: its name, parameters behind it. holds: whether it shows that the claim holds as
    written. figures: what it measured. page: where its page is, below the report's folder.
    """

    claim: str
    scenario: str
    holds: bool
    outcome: Outcome
    figures: tuple[str, ...] = ()
    page: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one run says of one claim.

    verdict: what it gave; None: nothing was run. whole: all of the claim's scenarios were run.
    problems: why the run is red because of it, a line each.
    """

    claim: Claim
    verdict: Verdict | None
    whole: bool
    showings: tuple[Showing, ...]
    problems: tuple[str, ...] = ()

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios' functions, without file and parameters, as ``pytest -k`` takes them."""
        return tuple(dict.fromkeys(function_name(each.scenario) for each in self.showings))

    def figures(self, *, holds: bool) -> tuple[str, ...]:
        """What proves that it holds, or that it does not; the first scenario's that has some."""
        passed = (each for each in self.showings if each.outcome == "passed")
        return next((each.figures for each in passed if each.holds is holds and each.figures), ())


def judge(ledger: Ledger, showings: Iterable[Showing], *, whole: bool) -> list[Judgement]:
    """Every claim of the ledger with what the run says. `whole`: every scenario was asked for."""
    of_claim: dict[str, list[Showing]] = {claim.id: [] for claim in ledger.claims}
    for showing in sorted(showings, key=lambda each: each.scenario):
        of_claim.setdefault(showing.claim, []).append(showing)
    return [_judge(claim, tuple(of_claim[claim.id]), whole) for claim in ledger.claims]


def strangers(ledger: Ledger, showings: Iterable[Showing]) -> list[str]:
    """Claims that scenarios name and no ledger has, a line each."""
    named: dict[str, list[str]] = {}
    for each in showings:
        if each.claim not in ledger.sentences:
            named.setdefault(each.claim, []).append(function_name(each.scenario))
    return [
        f"{claim}: no ledger has this claim, named by {_listed(scenarios)}"
        + nearest(claim, ledger.sentences)
        for claim, scenarios in named.items()
    ]


def function_name(scenario: str) -> str:
    """``test_fin_wait1`` for ``scenarios/closing/test_fin_wait1.py::test_fin_wait1[ipv4]``."""
    return scenario.rpartition("::")[2].partition("[")[0]


def _judge(claim: Claim, showings: tuple[Showing, ...], whole: bool) -> Judgement:
    passed = [each for each in showings if each.outcome == "passed"]
    sorts = {each.holds for each in passed}
    verdict: Verdict | None = None
    if sorts:
        verdict = CONDITION if len(sorts) == 2 else HOLDS if True in sorts else FALSE
    whole = whole and all(each.outcome != "skipped" for each in showings)
    problems = tuple(f"{claim.id}: {text}" for text in _problems(claim, verdict, showings, whole))
    return Judgement(claim, verdict, whole, showings, problems)


def _problems(
    claim: Claim, verdict: Verdict | None, showings: tuple[Showing, ...], whole: bool
) -> Iterator[str]:
    failed = [function_name(each.scenario) for each in showings if each.outcome == "failed"]
    if failed:
        yield f"failed: {_listed(failed)}"
    if whole and not showings:
        yield 'no scenario names it: mark one with pytest.mark.claims("' + claim.id + '")'
    if verdict is None:
        return
    # Where a scenario failed or was not run, the sort that is missing may be its.
    undecided = (failed or not whole) and claim.verdict == CONDITION
    if verdict != claim.verdict and not undecided:
        yield f"the ledger says {claim.verdict!r}, this run {verdict!r}: {_why(claim, showings)}"
    if whole and not failed and not any(each.figures for each in showings):
        yield f"no figure proves it: keep one with lab.figure(…) in {_listed(_passed(showings))}"


def _passed(showings: Iterable[Showing], *sorts: bool) -> list[str]:
    return [
        function_name(each.scenario)
        for each in showings
        if each.outcome == "passed" and (not sorts or each.holds in sorts)
    ]


def _why(claim: Claim, showings: tuple[Showing, ...]) -> str:
    showing, refuting = _passed(showings, True), _passed(showings, False)
    if claim.verdict == HOLDS:
        return f"{_listed(refuting)} shows that it does not hold"
    if claim.verdict == FALSE:
        return f"{_listed(showing)} shows that it holds"
    missing = "does not hold, with holds=False" if showing else "holds"
    return f"no scenario shows that it {missing}"


def _listed(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - NAMED} more" if len(distinct) > NAMED else ""
    return ", ".join(distinct[:NAMED]) + more
