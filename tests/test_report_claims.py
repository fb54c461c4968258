"""The report's second page: what is claimed, with this run's verdicts; as a page and as a file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sockstates.ledger.claims import CONDITION, FALSE, HOLDS, Article, Claim, Ledger
from sockstates.ledger.judging import Judgement, judge
from sockstates.report.claims_file import ledger_json
from sockstates.report.html.claims import CLAIMS_FILE, claims_page, showings
from sockstates.report.html.index import index_page
from sockstates.report.html.page import scenario_page
from sockstates.report.html.results import PAGE_FILE, Result
from tests.browser import browser, shown
from tests.recorded import empty_timeline
from tests.report_samples import RUN, result_of, sampled_story

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]
VERSIONS = {"kernel": "Linux"}
LONG = "0.100000 client.43210 > server.80: Flags [S], seq 1000, win 500, options [mss 1460]"
LEDGER = Ledger(
    (
        Article("one", "The first article", "About <it>.", (
            Claim("T1", "It is <so>.", HOLDS, source="section 3"),
            Claim("T2", "It may be so.", CONDITION, "at night", "by day it is not"),
        )),
        Article("two", "The second article", "", (
            Claim("H1", "It is not so.", FALSE, instead="it is otherwise"),
            Claim("H2", "Nobody looked.", HOLDS),
            Claim("H3", "It is wrong.", HOLDS),
        )),
    )
)  # fmt: skip


def results() -> list[Result]:
    """Of four scenarios: one shows, one refutes, one fails, one was skipped."""
    shows, refutes, fails, skipped = (
        replace(result_of(empty_timeline(), number), states=(), page=True) for number in range(4)
    )
    return [
        replace(shows, verdict="passed", claims=("T1", "T2"), figures=(LONG, LONG)),
        replace(
            refutes,
            verdict="passed",
            claims=("T2", "H1", "H3"),
            refutes=("T2", "H1", "H3"),
            figures=("none & <nothing>",),
        ),
        replace(fails, verdict="error", claims=("T1",)),
        replace(skipped, verdict="skipped", claims=("H2", "X9"), page=False),
    ]


def judged() -> list[Judgement]:
    return judge(LEDGER, showings(results()), whole=True)


def written(folder: Path) -> Path:
    for result in results():
        (folder / result.folder).mkdir()
        text = scenario_page(sampled_story(), result, VERSIONS, [], LEDGER.sentences)
        (folder / result.folder / PAGE_FILE).write_text(text)
    index = index_page(results(), RUN, VERSIONS, LEDGER.sentences)
    (folder / "index.html").write_text(index)
    (folder / CLAIMS_FILE).write_text(claims_page(LEDGER, judged(), VERSIONS))
    return folder / CLAIMS_FILE


def test_results_say_what_was_shown_and_refuted() -> None:
    found = {(each.claim, each.holds, each.outcome) for each in showings(results())}
    assert found == {
        ("T1", True, "passed"),
        ("T2", True, "passed"),
        ("T2", False, "passed"),
        ("H1", False, "passed"),
        ("H3", False, "passed"),
        ("T1", True, "failed"),
        ("H2", True, "skipped"),
        ("X9", True, "skipped"),
    }


def test_the_page_says_all_and_escapes_it() -> None:
    text = claims_page(LEDGER, judged(), VERSIONS)
    for words in (
        "It is &lt;so&gt;.",
        "section 3",
        "About &lt;it&gt;.",
        "It holds when at night",
        "Otherwise: by day it is not",
        "Instead: it is otherwise",
        "none &amp; &lt;nothing&gt;",
        "The ledger says: holds",
        "T1: failed: test_2",
        'id="claim-H3"',
        'data-verdicts="false disagrees"',
    ):
        assert words in text, words


def test_without_a_ledger_claims_are_no_links() -> None:
    (one, *_) = results()
    text = index_page([one], RUN, VERSIONS)
    assert CLAIMS_FILE not in text
    assert 'title="a claim this shows">T1</span>' in text


def test_the_file_is_for_programs() -> None:
    read = json.loads(ledger_json(LEDGER, judged()))
    assert (read["format"], read["version"]) == ("sockstates claims", 1)
    first, conditional = read["articles"][0]["claims"]
    assert first["run"]["problems"] == ["T1: failed: test_2"]
    assert conditional["verdict"] == conditional["run"]["verdict"] == CONDITION
    assert conditional["run"]["shown_by"][0]["figures"] == [LONG, LONG]
    assert read["articles"][1]["claims"][1]["run"]["verdict"] is None


class TestInABrowser:
    def test_it_is_as_it_should_be(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser) as window:
            window.open(written(tmp_path))
            assert window.problems_everywhere() == []

    def test_it_is_searched_and_filtered(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser) as window:
            page = window.open(written(tmp_path))
            rows = page.locator("#claims tbody tr:visible")
            assert rows.count() == 5
            page.select_option("#article", label="two")
            assert page.inner_text("#count") == "3 of 5 claims"
            page.select_option("#verdict", label="not run")
            assert rows.count() == 1
            page.select_option("#verdict", label="disagrees with the ledger")
            assert rows.all_inner_texts()[0].startswith("H3")
            page.select_option("#article", "")
            page.select_option("#verdict", label="holds under a condition")
            assert rows.count() == 1
            page.select_option("#verdict", "")
            page.fill("#text", "otherwise night")
            assert rows.count() == 1
            page.fill("#text", "no such claim")
            assert page.locator("#nothing").is_visible()

    def test_claims_and_scenarios_lead_to_each_other(
        self, browser: "Browser", tmp_path: Path
    ) -> None:
        with shown(browser) as window:
            page = window.open(written(tmp_path))
            page.click("#claim-T2 a >> nth=0")
            assert page.locator(".facts a.claim").all_inner_texts() == ["T1", "T2"]
            assert page.get_attribute(".facts a.claim >> nth=1", "title") == "It may be so."
            page.click(".facts a.claim >> nth=1")
            assert page.url.endswith("claims.html#claim-T2")
            page.click("nav a")
            assert page.url.endswith("index.html")
            refuted = page.locator('a.claim:text("H1 refuted")')
            assert refuted.get_attribute("title") == "Does not hold as written: It is not so."
            page.click("nav a")
            assert page.url.endswith("claims.html")
            assert window.complaints == []

    def test_it_is_whole_without_javascript(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser, script=False) as window:
            page = window.open(written(tmp_path))
            assert page.locator("#claims tbody tr:visible").count() == 5
            assert page.locator("#controls").is_hidden()
