"""The second page of a report: what articles claim, and what this run says of each claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from sockstates.ledger.claims import CONDITION, FALSE, HOLDS, Article, Ledger, Verdict
from sockstates.ledger.judging import Judgement, Outcome, Showing, function_name
from sockstates.ledger.table import NOT_RUN
from sockstates.report.html.controls import choice, search, switch, table_of
from sockstates.report.html.markup import Markup, joined, page, tag
from sockstates.report.html.results import INDEX_FILE, PAGE_FILE, Result

CLAIMS_FILE = "claims.html"
HEADS = ("Claim", "Verdict of this run", "Figure", "Scenarios")
CLASSES: Mapping[Verdict | None, str] = {
    HOLDS: "holds",
    CONDITION: "conditional",
    FALSE: "false",
    None: "not-run",
}
"""Verdict -> the word for it in the page's markup."""


def showings(results: Iterable[Result]) -> list[Showing]:
    """What scenarios' results say of claims, each with the way to the scenario's page."""
    outcomes: Mapping[str, Outcome] = {"passed": "passed", "skipped": "skipped"}
    return [
        Showing(
            claim,
            result.name,
            claim not in result.refutes,
            outcomes.get(result.verdict, "failed"),
            result.figures,
            f"{quote(result.folder)}/{PAGE_FILE}" if result.page else "",
        )
        for result in results
        for claim in result.claims
    ]


def claim_links(result: Result, sentences: Mapping[str, str], base: str) -> list[Markup]:
    """A scenario's claims, each linked to its entry in the ledger. `base`: the way to the report.

    sentences: what each claim of the ledger says; an id that is not there is no link.
    """
    return [
        _claim_link(claim, sentences, base, holds=claim not in result.refutes)
        for claim in result.claims
    ]


def _claim_link(claim: str, sentences: Mapping[str, str], base: str, *, holds: bool) -> Markup:
    text = claim if holds else f"{claim} refuted"
    if claim not in sentences:
        return tag("span", text, class_="claim", title="a claim this shows")
    title = sentences[claim] if holds else f"Does not hold as written: {sentences[claim]}"
    return tag(
        "a", text, class_="claim", title=title, href=f"{base}{CLAIMS_FILE}#{quote(_anchor(claim))}"
    )


def claims_page(
    ledger: Ledger, judgements: Sequence[Judgement], versions: Mapping[str, str]
) -> str:
    """The whole document: every claim of every article."""
    title = "TCP socket states: claims"
    body = tag(
        "main",
        _head(title, ledger, judgements, versions),
        _controls(ledger, judgements),
        table_of(
            "claims",
            "Every claim, with this run's verdict",
            HEADS,
            list(_rows(ledger, judgements)),
        ),
        tag("p", "No claim matches.", id="nothing", hidden=True, role="status"),
        class_="index",
    )
    return page(title, body, script="index.js")


def _head(
    title: str, ledger: Ledger, judgements: Sequence[Judgement], versions: Mapping[str, str]
) -> Markup:
    counts = Counter(each.verdict for each in judgements)
    said = [
        tag("span", f"{counts[verdict]} {verdict or NOT_RUN}", class_=f"verdict {name}")
        for verdict, name in CLASSES.items()
        if counts[verdict]
    ]
    total = f"{len(judgements)} claim{'' if len(judgements) == 1 else 's'}"
    return tag(
        "header",
        tag(
            "nav",
            tag("a", "All scenarios", href=INDEX_FILE),
            tag("span", total, id="count", role="status"),
            switch(),
        ),
        tag("h1", title),
        tag("p", *said, class_="facts"),
        tag("p", " · ".join(f"{name} {value}" for name, value in versions.items()), class_="about"),
        tag("dl", *(_about(article) for article in ledger.articles), class_="articles"),
    )


def _about(article: Article) -> Markup:
    return joined([tag("dt", article.name), tag("dd", article.title, _small(article.about))])


def _small(text: str) -> Markup:
    return tag("span", text, class_="more") if text else Markup("")


def _controls(ledger: Ledger, judgements: Sequence[Judgement]) -> Markup:
    seen = {each.verdict for each in judgements}
    verdicts = {name: each or NOT_RUN for each, name in CLASSES.items() if each in seen}
    if any(each.problems for each in judgements):
        verdicts["disagrees"] = "disagrees with the ledger"
    articles = {str(number): each.name for number, each in enumerate(ledger.articles)}
    return tag(
        "form",
        search(),
        choice("Article", "article", "article", articles),
        choice("Verdict", "verdict", "verdicts", verdicts),
        class_="controls",
        id="controls",
        hidden=True,
    )


def _rows(ledger: Ledger, judgements: Sequence[Judgement]) -> Iterator[Markup]:
    by_id = {each.claim.id: each for each in judgements}
    for number, article in enumerate(ledger.articles):
        yield from (_row(by_id[claim.id], number) for claim in article.claims)


def _row(judgement: Judgement, number: int) -> Markup:
    claim, name = judgement.claim, CLASSES[judgement.verdict]
    problems = [tag("span", problem, class_="why") for problem in judgement.problems]
    return tag(
        "tr",
        tag("td", tag("b", claim.id), f" {claim.says}", _small(claim.source), class_="what"),
        tag("td", *_verdict(judgement), *problems, class_="what"),
        tag("td", *_figures(judgement), class_="figures"),
        tag("td", *_scenarios(judgement), class_="what"),
        id=_anchor(claim.id),
        data_article=number,
        data_verdicts=f"{name} disagrees" if problems else name,
    )


def _verdict(judgement: Judgement) -> Iterator[Markup]:
    claim, given = judgement.claim, judgement.verdict
    yield tag("span", given or NOT_RUN, class_=f"verdict {CLASSES[given]}")
    if given != claim.verdict:
        yield _small(f"The ledger says: {claim.verdict}")
    if given is not None and not judgement.whole:
        yield _small("In a part of the scenarios.")
    if claim.condition:
        yield _small(f"It holds when {claim.condition}")
    if claim.instead:
        yield _small(f"{'Otherwise' if claim.condition else 'Instead'}: {claim.instead}")


def _figures(judgement: Judgement) -> Iterator[Markup]:
    for holds in (True, False):
        lines = "\n".join(judgement.figures(holds=holds))
        if lines and not holds:
            yield tag("span", "Instead" if judgement.verdict == FALSE else "Otherwise")
        if lines:
            yield tag("pre", lines)


def _scenarios(judgement: Judgement) -> Iterator[Markup]:
    """Each function once, with a link for each of its runs."""
    runs: dict[str, list[Showing]] = {}
    for showing in judgement.showings:
        runs.setdefault(function_name(showing.scenario), []).append(showing)
    for name, shown in runs.items():
        refutes = " shows the contrary" if not shown[0].holds else ""
        links = joined((_page_link(each) for each in shown), " ")
        yield tag("span", tag("code", name), refutes, " ", links, class_="more")


def _page_link(showing: Showing) -> Markup:
    text = showing.scenario.partition("[")[2].removesuffix("]") or "its page"
    if showing.outcome != "passed":
        text += f" ({showing.outcome})"
    return tag("a", text, href=showing.page) if showing.page else tag("span", text)


def _anchor(claim: str) -> str:
    return f"claim-{claim}"
