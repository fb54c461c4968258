"""The index of a report: every scenario with its verdict, to be searched, sorted and printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote

from sockstates.ledger.claims import by_number
from sockstates.record.events import NANOSECONDS
from sockstates.report.clock import duration
from sockstates.report.html.claims import CLAIMS_FILE, claim_links
from sockstates.report.html.controls import choice, search, switch, table_of
from sockstates.report.html.markup import Markup, escape, page, tag
from sockstates.report.html.results import PAGE_FILE, VERDICTS, Result

HEADS = ("Verdict", "Scenario", "Family", "States reached", "Phenomenon", "Claims", "Duration")


def index_page(
    results: list[Result],
    run: str,
    versions: Mapping[str, str],
    sentences: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The whole document: what this run ran, and below it what lies there from earlier runs.

    sentences: what each claim of the ledger says, by its id; none where there is no ledger.
    """
    current = [result for result in results if result.run == run]
    earlier = [result for result in results if result.run != run]
    title = "TCP socket states: scenarios"
    body = tag(
        "main",
        _head(title, current, versions, claims=bool(sentences)),
        _controls(current),
        _table(current, "scenarios", "Every scenario of this run", sentences),
        tag("p", "No scenario matches.", id="nothing", hidden=True, role="status"),
        *_earlier(earlier, sentences),
        class_="index",
    )
    return page(title, body, script="index.js")


def _head(
    title: str, current: list[Result], versions: Mapping[str, str], *, claims: bool
) -> Markup:
    counts = Counter(result.verdict for result in current)
    said = [
        tag("span", f"{counts[verdict]} {verdict}", class_=f"verdict {verdict}")
        for verdict in VERDICTS
        if counts[verdict]
    ]
    latest = max((result.when for result in current), default=0)
    when = f"{datetime.fromtimestamp(latest / NANOSECONDS, UTC):%Y-%m-%d %H:%M:%S} UTC"
    about = [when] if latest else []
    about += [f"{name} {value}" for name, value in versions.items()]
    links = [tag("a", "All claims", href=CLAIMS_FILE)] if claims else []
    total = f"{len(current)} scenario{'' if len(current) == 1 else 's'}"
    return tag(
        "header",
        tag("nav", *links, tag("span", total, id="count", role="status"), switch()),
        tag("h1", title),
        tag("p", *said, class_="facts"),
        tag("p", " · ".join(about), class_="about"),
    )


def _controls(current: list[Result]) -> Markup:
    """Shown only where there is a script that makes them work."""
    states = sorted({state.rpartition(" ")[2] for result in current for state in result.states})
    claims = sorted({claim for result in current for claim in result.claims}, key=by_number)
    symptoms = list(dict.fromkeys(result.symptom for result in current if result.symptom))
    verdicts = [verdict for verdict in VERDICTS if any(r.verdict == verdict for r in current)]
    return tag(
        "form",
        search(),
        choice("State", "state", "states", {each: each for each in states}),
        choice("Symptom", "symptom", "symptom", {_word(each): each for each in sorted(symptoms)}),
        choice("Claim", "claim", "claims", {each: each for each in claims}),
        choice("Verdict", "verdict", "verdict", {each: each for each in verdicts}),
        class_="controls",
        id="controls",
        hidden=True,
    )


def _table(results: list[Result], name: str, caption: str, sentences: Mapping[str, str]) -> Markup:
    if not results:
        return tag("p", "No scenario was run.")
    return table_of(name, caption, HEADS, [_row(result, sentences) for result in results])


def _row(result: Result, sentences: Mapping[str, str]) -> Markup:
    states = list(dict.fromkeys(state.rpartition(" ")[2] for state in result.states))
    chips = [tag("span", state, class_=f"chip state-{state}") for state in states]
    return tag(
        "tr",
        tag("td", tag("span", result.verdict, class_=f"verdict {result.verdict}")),
        tag("td", _link(result), _detail(result), class_="what"),
        tag("td", result.family),
        tag("td", *_spaced(chips), class_="chips"),
        _phenomenon(result),
        tag("td", *_spaced(claim_links(result, sentences, ""))),
        tag(
            "td",
            duration(result.seconds) if result.seconds else "",
            class_="duration",
            data_order=f"{result.seconds:.6f}",
        ),
        data_verdict=result.verdict,
        data_states=" ".join(states),
        data_claims=" ".join(result.claims),
        data_symptom=_word(result.symptom),
    )


def _phenomenon(result: Result) -> Markup:
    """Its numbers in the catalogue, and what a person sees of it; those without one sort last."""
    number = result.phenomena[0] if result.phenomena else "1000"
    text = f"{', '.join(result.phenomena)} {result.symptom}".strip()
    return tag("td", text, class_="phenomenon", data_order=number)


def _word(symptom: str) -> str:
    """The symptom as one word, for the choice."""
    return symptom.replace(" ", "-")


def _link(result: Result) -> Markup:
    if not result.page:
        return escape(result.title)
    return tag("a", result.title, href=f"{quote(result.folder)}/{PAGE_FILE}")


def _detail(result: Result) -> Markup:
    """The test's name, and the first line of what went wrong."""
    parts = [tag("code", result.name)]
    first = result.message.strip().partition("\n")[0]
    if first:
        parts.append(tag("span", first[:300], class_="why"))
    return Markup("".join(parts))


def _spaced(chips: list[Markup]) -> list[object]:
    return [part for chip in chips for part in (chip, " ")]


def _earlier(results: list[Result], sentences: Mapping[str, str]) -> list[Markup]:
    """What this run did not run again: shown, and said to be old."""
    if not results:
        return []
    words = (
        "These lie in the folder from earlier runs and were not run this time: they say nothing "
        "about the present."
    )
    return [
        tag(
            "section",
            tag("h2", "From earlier runs"),
            tag("p", words),
            _table(results, "earlier", "Scenarios of earlier runs", sentences),
            class_="earlier",
        )
    ]
