"""The index of a report: every scenario with its verdict, to be searched, sorted and printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from harness.evidence.events import NANOSECONDS
from harness.ledger.claims import by_number
from harness.report.clock import duration
from harness.report.html.markup import Markup, escape, page, tag
from harness.report.html.results import PAGE_FILE, VERDICTS, Result

HEADS = ("Verdict", "Scenario", "Family", "States reached", "Claims", "Duration")


def index_page(results: list[Result], run: str, versions: Mapping[str, str]) -> str:
    """The whole document: what this run ran, and below it what lies there from earlier runs."""
    current = [result for result in results if result.run == run]
    earlier = [result for result in results if result.run != run]
    title = "TCP socket states: scenarios"
    body = tag(
        "main",
        _head(title, current, versions),
        _controls(current),
        _table(current, "scenarios", "Every scenario of this run"),
        tag("p", "No scenario matches.", id="nothing", hidden=True, role="status"),
        *_earlier(earlier),
        class_="index",
    )
    return page(title, body, script="index.js")


def _head(title: str, current: list[Result], versions: Mapping[str, str]) -> Markup:
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
    switch = tag("button", "Light / dark", type="button", id="switch", class_="switch", hidden=True)
    total = f"{len(current)} scenario{'' if len(current) == 1 else 's'}"
    return tag(
        "header",
        tag("nav", tag("span", total, id="count", role="status"), switch),
        tag("h1", title),
        tag("p", *said, class_="facts"),
        tag("p", " · ".join(about), class_="about"),
    )


def _controls(current: list[Result]) -> Markup:
    """Shown only where there is a script that makes them work."""
    states = sorted({state.rpartition(" ")[2] for result in current for state in result.states})
    claims = sorted({claim for result in current for claim in result.claims}, key=by_number)
    verdicts = [verdict for verdict in VERDICTS if any(r.verdict == verdict for r in current)]
    return tag(
        "form",
        tag("label", "Search ", tag("input", type="search", id="text", autocomplete="off")),
        _choice("State", "state", states),
        _choice("Claim", "claim", claims),
        _choice("Verdict", "verdict", verdicts),
        class_="controls",
        id="controls",
        hidden=True,
    )


def _choice(label: str, name: str, values: Sequence[str]) -> Markup:
    options = [tag("option", "any", value="")]
    options += [tag("option", value, value=value) for value in values]
    return tag("label", f"{label} ", tag("select", *options, id=name))


def _table(results: list[Result], name: str, caption: str) -> Markup:
    if not results:
        return tag("p", "No scenario was run.")
    heads = [tag("th", head, scope="col", data_key=head.split()[0].lower()) for head in HEADS]
    table = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *(_row(result) for result in results)),
        id=name,
    )
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=caption)


def _row(result: Result) -> Markup:
    states = list(dict.fromkeys(state.rpartition(" ")[2] for state in result.states))
    chips = [tag("span", state, class_=f"chip state-{state}") for state in states]
    return tag(
        "tr",
        tag("td", tag("span", result.verdict, class_=f"verdict {result.verdict}")),
        tag("td", _link(result), _detail(result), class_="what"),
        tag("td", result.family),
        tag("td", *_spaced(chips), class_="chips"),
        tag("td", " ".join(result.claims)),
        tag(
            "td",
            duration(result.seconds) if result.seconds else "",
            class_="duration",
            data_seconds=f"{result.seconds:.6f}",
        ),
        data_verdict=result.verdict,
        data_states=" ".join(states),
        data_claims=" ".join(result.claims),
    )


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


def _earlier(results: list[Result]) -> list[Markup]:
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
            _table(results, "earlier", "Scenarios of earlier runs"),
            class_="earlier",
        )
    ]
