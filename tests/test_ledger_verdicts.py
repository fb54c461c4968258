"""What a run makes of a claim, and when ledger and run disagree."""

from collections.abc import Iterable

import pytest

from sockstates.ledger.claims import CONDITION, FALSE, HOLDS, Article, Claim, Ledger, Verdict
from sockstates.ledger.judging import Judgement, Outcome, Showing, judge, strangers
from sockstates.ledger.table import WIDTH, count_line, ledger_lines, problem_lines


def claim(verdict: Verdict = HOLDS, name: str = "T7") -> Claim:
    condition = "at night" if verdict == CONDITION else ""
    return Claim(name, "It is so.", verdict, condition, "" if verdict == HOLDS else "it is not")


def of(*claims: Claim) -> Ledger:
    return Ledger((Article("an_article", "Its title", "", claims),))


def shows(
    name: str = "test_so",
    outcome: Outcome = "passed",
    *,
    holds: bool = True,
    figures: Iterable[str] = ("4 SYN",),
) -> Showing:
    kept = tuple(figures) if outcome == "passed" else ()
    return Showing("T7", f"scenarios/test_it.py::{name}[ipv4]", holds, outcome, kept)


SO, NOT_SO = shows(), shows("test_not_so", holds=False)
SKIPPED = shows("test_skipped", "skipped")
FAILED = shows("test_failed", "failed")


def judged(verdict: Verdict, *showings: Showing, whole: bool = True) -> Judgement:
    (judgement,) = judge(of(claim(verdict)), showings, whole=whole)
    return judgement


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("verdict", "showings"), [(HOLDS, [SO]), (CONDITION, [SO, NOT_SO]), (FALSE, [NOT_SO])]
)
def test_ledger_and_run_agree(verdict: Verdict, showings: list[Showing], whole: bool) -> None:
    judgement = judged(verdict, *showings, whole=whole)
    assert (judgement.verdict, judgement.problems) == (verdict, ())


DISAGREE = {
    "T7: the ledger says 'holds', this run 'false here': test_not_so shows that it does not hold": (
        HOLDS,
        [NOT_SO],
    ),
    "T7: the ledger says 'holds', this run 'holds under a condition': test_not_so shows that it "
    "does not hold": (HOLDS, [SO, NOT_SO]),
    "T7: the ledger says 'false here', this run 'holds': test_so shows that it holds": (
        FALSE,
        [SO],
    ),
    "T7: the ledger says 'false here', this run 'holds under a condition': test_so shows that it "
    "holds": (FALSE, [SO, NOT_SO]),
}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("problem", DISAGREE)
def test_what_contradicts_is_red_in_any_run(problem: str, whole: bool) -> None:
    verdict, showings = DISAGREE[problem]
    assert judged(verdict, *showings, whole=whole).problems == (problem,)


@pytest.mark.parametrize(
    ("showing", "missing"),
    [(SO, "this run 'holds': no scenario shows that it does not hold, with holds=False"),
     (NOT_SO, "this run 'false here': no scenario shows that it holds")],
)  # fmt: skip
def test_a_condition_needs_both_sides_of_a_whole_run(showing: Showing, missing: str) -> None:
    (problem,) = judged(CONDITION, showing).problems
    assert problem == f"T7: the ledger says 'holds under a condition', {missing}"
    assert not judged(CONDITION, showing, whole=False).problems
    assert not judged(CONDITION, showing, SKIPPED).problems


def test_a_failed_scenario_is_the_only_thing_said_of_what_it_may_have_shown() -> None:
    assert judged(HOLDS, FAILED).problems == ("T7: failed: test_failed",)
    assert judged(CONDITION, SO, FAILED).problems == ("T7: failed: test_failed",)
    assert judged(HOLDS, FAILED, whole=False).verdict is None


def test_a_claim_that_no_scenario_names_is_red_when_all_ran() -> None:
    (problem,) = judged(HOLDS).problems
    assert problem == 'T7: no scenario names it: mark one with pytest.mark.claims("T7")'
    assert not judged(HOLDS, whole=False).problems
    skipped = judged(HOLDS, SKIPPED)
    assert (skipped.verdict, skipped.problems) == (None, ())


def test_a_claim_without_a_figure_is_red_when_all_its_scenarios_ran() -> None:
    bare = shows(figures=())
    (problem,) = judged(HOLDS, bare).problems
    assert problem == "T7: no figure proves it: keep one with lab.figure(…) in test_so"
    assert not judged(HOLDS, bare, shows("test_other")).problems
    assert not judged(HOLDS, bare, SKIPPED).problems
    assert not judged(HOLDS, bare, whole=False).problems


def test_both_address_families_are_one_scenario() -> None:
    again = Showing("T7", "scenarios/test_it.py::test_so[ipv6]", True, "passed", ("6",))
    judgement = judged(HOLDS, again, SO)
    assert judgement.scenarios == ("test_so",)
    assert judgement.figures(holds=True) == ("4 SYN",)


def test_figures_are_of_the_first_that_passed_and_has_some() -> None:
    judgement = judged(CONDITION, shows("test_a", figures=()), shows("test_b"), FAILED, NOT_SO)
    assert judgement.figures(holds=True) == ("4 SYN",)
    assert judgement.figures(holds=False) == ("4 SYN",)
    assert judged(HOLDS, FAILED).figures(holds=True) == ()


def test_what_no_ledger_has_is_named_with_those_who_name_it() -> None:
    others = [Showing("T77", f"x::test_{number}", True, "passed") for number in range(5)]
    assert strangers(of(claim()), [SO, *others]) == [
        "T77: no ledger has this claim, named by test_0, test_1, test_2 and 2 more; did you mean "
        "'T7'?"
    ]


def test_the_table_says_all_in_80_columns() -> None:
    long = Claim("T8", "A sentence that goes on, " * 6, CONDITION, "at night " * 9, "by day not")
    figure = "\n".join(f"0.{number} client > server: Flags [S], seq {'1' * 90}" for number in "123")
    shown = [
        Showing("T8", f"test_it.py::test_{name}", holds, "passed", (figure,))
        for name, holds in (("x" * 90, True), ("b", False), ("c", True), ("d", True))
    ]
    ledger = of(claim(), long, claim(FALSE, "T9"))
    lines = list(ledger_lines(ledger, judge(ledger, [SO, *shown], whole=False)))
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    assert "Its title (an_article)" in text
    assert (
        "T7   It is so.\n"
        "     verdict    holds (in a part of the scenarios)\n"
        "     figure     4 SYN\n"
        "     shown by   test_so\n"
    ) in text
    assert "verdict    holds under a condition: at night at night" in text
    assert "\n     otherwise  0.1 client > server: Flags [S], seq 111" in text
    assert text.count("and 1 more") == 1
    assert text.endswith("T9   It is so.\n     verdict    not run; the ledger says: false here")


def test_a_figure_is_instead_where_the_claim_is_false_and_not_endless() -> None:
    many = shows("test_not_so", holds=False, figures=["\n".join("123456"), "\n".join("abcdef")])
    lines = list(ledger_lines(of(claim(FALSE)), [judged(FALSE, many)]))
    assert "     verdict    false here. Instead: it is not" in lines
    assert "     instead    1" in lines
    assert "                b" in lines
    assert "                and 4 more lines" in lines


def test_a_verdict_that_disagrees_stands_beside_the_ledgers() -> None:
    lines = list(ledger_lines(of(claim()), [judged(HOLDS, NOT_SO)]))
    assert "     verdict    false here; the ledger says: holds" in lines


def test_claims_are_counted_by_verdict() -> None:
    all_sorts = [judged(HOLDS, SO), judged(CONDITION, SO, NOT_SO), judged(FALSE, NOT_SO)]
    assert count_line([*all_sorts, judged(HOLDS, SKIPPED)]) == (
        "4 claims: 1 holds, 1 holds under a condition, 1 is false here, 1 was not run"
    )
    assert count_line([]) == "0 claims"


def test_problems_are_folded() -> None:
    lines = list(problem_lines(["T7: " + "word " * 40]))
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH
